"""Matches detections with true boxes, and says how sure the numbers are.

detection.py          detector + labelled images → DetectionMetrics; predictions on disk
matching.py           which detection found which true box
average_precision.py  AP, the arithmetic of COCO
confusion_matrix.py   counts which class is taken for which
significance.py       intervals of accuracy, and of the difference between two models
few_groups.py         intervals of sums that few groups give, and the arithmetic of all of them
resampling.py         scores of many draws of the same images at once
groups.py             the same with recordings or cameras as the units
rare_changes.py       bounds on changes of recall that too few images or groups show
"""
