"""What a bundle says of a row, with NumPy and ONNX Runtime alone: the answer, how sure it is, and how unlike training the row is."""
