"""Matches detections with true boxes, and says how sure the numbers are.

detection.py          detector + labelled images → DetectionMetrics; predictions on disk
average_precision.py  matching and AP, the arithmetic of COCO
confusion_matrix.py   counts which class is taken for which
significance.py       intervals of accuracy, and of the difference between two models
resampling.py         scores of many draws of the same images at once
"""
