"""Model files that others made: nothing is believed of them on shape alone.

other_formats.py   names files of formats that are not read
onnx_files.py      an .onnx opened and checked, by ONNX and by the runtime
network_shapes.py  what a network is by its inputs and outputs
trial_run.py       runs it and looks at the values
"""
