"""Weight files that a user or a trainer gives: looked at, opened, packaged.

packages             a weight file → a detector package
weight_files         what a file says of itself: names, size, precision, output
known_checkpoints    what was read of a checkpoint, kept by its sha256
checkpoints          a checkpoint is looked at first, and opened from the bytes looked at
pickled_names        what a pickle would import and call, found out without unpickling it
detector_names       the names that detectors' checkpoints are made of
ultralytics_models   checkpoints opened without Ultralytics' side effects
model_figures        parameters and operations, counted when a package is made
product_counter      multiply-adds counted without computing them
"""
