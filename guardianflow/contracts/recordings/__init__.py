"""Values of footage: where images come from, what crosses splits, and the alarms raised on it.

groups.py          camera, recording and time of an image; the unit that evidence is counted in
evidence.py        the unit that intervals of accuracy were made over
leaks.py           what of a judged split is in train already
slices.py          parts of a split, how well each is found, and how two models differ in them
alarms.py          rules, true incidents, recordings and what was found in them
alarm_results.py   alarms judged against the truth, and the figures drawn from them
"""
