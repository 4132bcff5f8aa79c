"""Inference backends: what each can do, how to make its files, how to run them.

    catalogue          an entry for each backend; get_backend, open_session, open_recipe_exporter
    pytorch            Ultralytics checkpoints; the source of every export
    onnx/              ONNX Runtime: float, fp16, static and dynamic int8
    openvino/          OpenVINO: float, fp16, int8 by NNCF, trained on or not
    tensorrt_runtime   TensorRT engines: float, fp16, int8
    base               what every backend does alike; sessions: what every session does
    exporting          complete or absent packages; libraries' errors, prints and settings
    interchange        PyTorch → the one ONNX graph that every other export starts from
    hardware           cores, instruction sets and GPUs of this machine
    quantisation/      what stays float, what is calibrated on, int8 by recipes
    weights/           a weight file somebody gives → a detector package
    probe/             does a backend run on this machine? tried in a child process

Nothing is imported here: opening one backend must not load the libraries of another. A new backend
is one file, which is best a `base.BaseBackend`, and one entry in `catalogue.OURS`; or both in a
package of its own, see `contracts.backends`.
"""
