"""ONNX Runtime: runs, exports and quantises .onnx files.

runtime.py       exports and runs, on the CPU or a CUDA GPU
quantisation.py  int8 by nodes that the CPU kernels are fast at
explicit.py      int8 graphs for TensorRT, with Q/DQ pairs
entropy.py       entropy ranges, as the library finds them and sooner
ranges.py        ranges as the CPU kernels use them best
hardswish.py     HardSwish in 8 bits
recipes.py       int8 by recipes, ranges measured once
tail.py          turns the detection tail round for the CPU
"""
