"""Draws results as PNG files.

drawing.py        fonts, colours, and a figure that ends as a file
accuracy.py       average precision, curves, confusions, differences
timing.py         latency by batch size, call times, cameras
tradeoff.py       accuracy against latency, of variants and of a search's tries
contact_sheet.py  the images where a detector does worst
mot.py            scores of each sequence
"""
