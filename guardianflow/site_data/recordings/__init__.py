"""Recordings and cameras that images come from; splits that keep them whole.

groups.py     a rule → the origin of every image, or everything that is wrong with it
names.py      the path of an image as rules see it: without the folders of splits
patterns.py   regular expressions with named groups, matched within a time limit
summary.py    what each group holds, for people
table.py      groups.csv: read, and written
dealing.py    groups → splits, by size and class
splits.py     a split by recording or camera: made, and written as lists
proposals/    which rule fits a data set: from names, times, neighbouring images
moments.py    times as people and recorders write them → seconds
"""
