"""ONNX Runtime: runs, exports and quantises .onnx files."""
