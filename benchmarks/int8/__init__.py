"""What benchmarks.quantisation compares.

subjects    a trained detector with the images that calibrate, train on and judge
variants    its INT8 models and those that they are compared with: made, judged, kept
activations as many cheaper activations as a limit allows, without and with training on
speeds      how fast they are, by turns
"""
