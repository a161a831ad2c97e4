"""Legacy models revived: inert records to typed parameters, and those to ONNX. numpy and onnx only."""
