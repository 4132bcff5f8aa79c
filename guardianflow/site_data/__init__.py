"""Where images and labels come from; a docstring only, so that one module never drags the rest.

datasets.py ── resolve_dataset ─┬─ data_yaml.py    Ultralytics' data.yaml in all its spellings
                                ├─ labels.py       YOLO rows → boxes, checked
                                ├─ fingerprint.py  sha256 of a data set, remembered per file
                                ├─ dvc.py          hash of the .dvc file, `dvc pull`
                                └─ demo.py         demo://ppe, drawn on this machine
demo_sequence.py                a drawn image sequence with MOTChallenge ground truth
    └─ demo_scene.py ── demo_people.py, demo_objects.py ── demo_canvas.py
"""
