"""OpenVINO: runs, exports, quantises and trains quantised .xml models.

runtime.py               exports and runs, on Intel and other CPUs, Intel GPUs and NPUs
quantisation.py          int8 by NNCF
recipes.py               int8 by recipes, calibrated once
tail.py                  turns the detection tail round for the CPU
splits.py                saves copies around split channels
trainable_network.py     a quantised network as a PyTorch module, and back
trainable_operations.py  OpenVINO's operations in PyTorch
"""
