"""A Model as a folder, and back: JSON, safetensors and ONNX, each file's SHA-256 in the manifest; no pickle, no code."""
