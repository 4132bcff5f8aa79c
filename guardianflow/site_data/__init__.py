"""Where images and labels come from; a docstring only, so that one module never drags the rest.

    datasets.py        resolve_dataset: a reference → a checked data set on this machine
    data_yaml.py       Ultralytics' data.yaml in all its spellings
    labels.py          YOLO rows → boxes, checked
    fingerprint.py     sha256 of a data set, remembered per file
    dvc.py             the hash of the .dvc file, `dvc pull`
    demo.py            demo://ppe, drawn on this machine by demo_scenes
    demo_sequence.py   a drawn image sequence with MOTChallenge ground truth
    progress.py        a bar for work that takes longer than a second
    mot/               image sequences and tracks in MOTChallenge's layout

Everything wrong with a data set is told at once, with file and line.
"""
