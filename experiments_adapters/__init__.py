"""Experiments that authors write, and scripts that nobody may change, as the pipelines run them.

    base.py                    BaseTrainer, BaseBenchmark, BaseQuantizer: what an author implements
    author_classes.py          the three contracts, as data
    class_checks.py            whether a class keeps its contract
    code_path.py               experiment_code_path → an imported, checked class
    importing.py               an author's file imported, or what keeps it from that
    import_scope.py            an author's modules, importable only while their code runs
    git/                       code in a Git repository; every call of git
    trainers.py                a trainer, built and listened to
    benchmarks.py              a benchmark, asked for boxes, tracks and measurements
    quantizers.py              a quantizer, asked for a variant's files
    metrics.py                 what an author's code reports, checked and given its key
    outputs.py                 the files that a training left
    ultralytics_isolation.py   Ultralytics without trackers, installs and reports of its own
    failures/                  failures of others' code that are known, and what helps
    image_arrays.py            no arrays in place of images
    label_caches.py            its cached labels, read without running code
    yolo/                      the built-in experiment
    legacy/                    directories of old scripts

Nothing here knows the tracking server or the command line.
"""
