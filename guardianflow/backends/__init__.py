"""Inference backends: what each can do, how to make its files, how to run them.

    catalogue         what each backend can do, as data; get_backend, open_session
    packages          a weight file somebody gives → a detector package
    weight_files      what a weight file says of itself: names, size, precision, output
    pickled_names     what a pickle would import and call, found out without unpickling it
    detector_names    the names that detectors' checkpoints are made of
    checkpoints       a checkpoint is looked at first, and opened from the bytes looked at
    model_figures     parameters and operations of a detector, counted when its package is made
    probe             does a backend run on this machine? tried in a child process
    pytorch           Ultralytics checkpoints; the source of every export
    onnx_runtime      ONNX Runtime; float, fp16, static and dynamic int8
    openvino_runtime  OpenVINO; float, fp16, int8 by NNCF
    tensorrt_runtime  TensorRT engines; fp16, int8
    recipes           which nodes stay float, read off the graph's structure
    layer_groups      the other nodes, in groups that a recipe may leave float
    openvino_recipes, onnx_recipes   int8 packages by recipes, calibrated once
    interchange       PyTorch → the one ONNX graph that every other export starts from

Nothing is imported here: opening one backend must not load the libraries of another.
"""
