"""A network as an ONNX graph: exported, and in eight bits."""
