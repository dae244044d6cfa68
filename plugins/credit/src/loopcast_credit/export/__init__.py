"""Models in SQL, C and ONNX."""
