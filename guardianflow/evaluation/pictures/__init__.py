"""Draws results as PNG files.

drawing.py        fonts, colours, and a figure that ends as a file
accuracy.py       average precision, curves, confusions, differences
slices.py         recall of each slice, and the class found worst in it
timing.py         latency by batch size, call times, cameras
tradeoff.py       accuracy against latency, of variants and of a search's tries
sweeps.py         trials of a sweep, their parameters, a Pareto front
ranking.py        values with their intervals, one below the other
contact_sheet.py  the images where a detector does worst
pairs.py          pictures that leak, beside those that they leak from
mot.py            scores of each sequence
alarms.py         timelines of recordings, operating curves
film_strips.py    the worst misses and false alarms, picture by picture
"""
