"""ONNX Runtime: runs, exports and quantises .onnx files.

runtime.py            exports and runs, on the CPU or a CUDA GPU
quantisation.py       int8 by nodes that the CPU kernels are fast at
recipes.py            int8 by recipes, ranges measured once
explicit.py           int8 graphs for TensorRT, with Q/DQ pairs
kept_float.py         what the CPU's 8-bit kernels are no faster at
entropy.py            entropy ranges, as the library finds them and sooner
ranges.py             ranges as the CPU kernels use them best
hardswish.py          HardSwish in 8 bits
last_convolutions.py  8-bit numbers in, float numbers out
upsampling.py         nearest upsampling as copies of pixels and rows
tail.py               turns the detection tail round for the CPU
editing.py            who reads what in a graph, its constants, nodes replaced
"""
