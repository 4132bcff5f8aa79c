"""Experiments that authors write, and scripts that nobody may change, as the pipelines run them.

    base.py                    BaseTrainer: what an author implements
    metrics.py                 what an author's code reports, checked and given its key
    code_path.py               experiment_code_path → an imported, checked trainer
    class_checks.py            whether a class keeps the contract
    import_scope.py            an author's modules, importable only while their code runs
    git_source.py              code in a Git repository
    outputs.py                 the files that a training left
    ultralytics_isolation.py   Ultralytics without trackers, installs and reports of its own
    label_caches.py            its cached labels, read without running code
    yolo/                      the built-in experiment
    legacy/                    directories of old scripts

Nothing here knows the tracking server or the command line.
"""
