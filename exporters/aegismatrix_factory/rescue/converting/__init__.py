"""Legacy models revived: inert records to parameters, and those to ONNX, with numpy and onnx."""
