"""Where images and labels come from; a docstring only, so that one module never drags the rest.

    datasets.py        resolve_dataset: a reference → a checked data set on this machine
    data_yaml.py       Ultralytics' data.yaml in all its spellings
    image_places.py    directories walked and lists read for images
    image_files.py     the size of an image file, and whether a trainer reads of it what we do
    label_places.py    the label file of each image, and those that lie elsewhere
    labels.py          YOLO rows → boxes, checked
    resolved.py        the same set as every trainer reads it
    sampling.py        images by class, and those to calibrate on
    fingerprint.py     sha256 of a data set
    memory/            what is remembered of files, so that nothing unchanged is read again
    appearance/        how pictures look: day, dim or night, sharp or blurred
    once.py            directories that are made once
    splitting.py       a set without a split of its own, dealt out by class
    dvc.py             the hash of the .dvc file, `dvc pull`
    demo.py            demo://ppe, demo://cctv, demo://incidents: found by name, drawn once
    drawn/             how each demo is drawn, by demo_scenes
    progress.py        a bar for work that takes longer than a second
    recordings/        camera, recording and time of images; splits that keep recordings whole
    twins/             pictures that are copies of others; what of a split is in train
    mot/               image sequences and tracks in MOTChallenge's layout
    footage/           recordings of cameras, and what truly happened in them

Everything wrong with a data set is told at once, with file and line.
"""
