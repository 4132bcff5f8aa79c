"""Weight files that a user or a trainer gives: looked at, opened, packaged.

packages.py            a weight file → a detector package
weight_files.py        what a file says of itself: names, size, precision, output
foreign/               files of others: nothing is believed of them on shape alone
weight_notes.py        what a reader of its numbers must know
known_checkpoints.py   what was read of a checkpoint, kept by its sha256
model_figures.py       parameters and operations of a detector
product_counter.py     counts multiply-adds without computing them
ultralytics_models.py  opens checkpoints without Ultralytics' side effects
checkpoints.py         looks at a checkpoint, and opens just the bytes looked at
pickled_names.py       finds what a pickle would import and call, without running it
pickle_archives.py     reads the archives that pickles come in
detector_names.py      the names that detectors' checkpoints are made of
"""
