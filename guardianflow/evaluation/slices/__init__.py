"""Accuracy of parts of a split: small boxes, dark or blurred pictures, one camera, rain.

matching.py      pairs detections with true boxes once, and reads every range of box sizes from that
sliced_split.py  a model's boxes, paired once, and every slice of them
scores.py        predictions + traits of images → SliceTable
units.py         found and true boxes of each recording or image: intervals, differences, chance
average.py       average precision of a slice, and its interval
comparison.py    which slices differ between two models

The slices, and what counts in each, are defined in docs/metrics.md, "Slices".
"""
