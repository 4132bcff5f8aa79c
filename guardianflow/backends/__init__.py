"""Inference backends: what each can do, how its files are made, how they are run.

    catalogue.py         every backend as data; get_backend, open_session
    base.py              what every backend does alike
    exporting.py         complete or absent packages, errors of libraries, lineage
    sessions.py          what every session does alike
    interchange.py       PyTorch → the one ONNX graph that every other export starts from
    hardware.py          cores, instruction sets and devices of this machine
    pytorch.py           runs Ultralytics checkpoints
    onnx/                runs, exports and quantises for ONNX Runtime
    openvino/            runs, exports, quantises and trains for OpenVINO
    tensorrt_runtime.py  builds and runs TensorRT engines
    quantisation/        what quantisers share: what stays float, groups of layers
    weights/             weight files that people and trainers give
    probe/               finds out whether a backend runs on this machine

Nothing is imported here: opening one backend must not load the libraries of another. A new backend
is one file, best with a `base.BaseBackend`, and one entry in `catalogue.OURS`; or both in a package
of its own, see `contracts.backends`.
"""
