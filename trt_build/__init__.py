"""ONNX -> TensorRT engine. Nothing is here yet."""
