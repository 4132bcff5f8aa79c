"""How pictures look, day, dim or night, sharp or blurred, and what groups know of them.

measuring.py  pixels → Appearance, and the thresholds
columns.py    camera and columns of groups.csv → slices, and gates on those that are not there
memory.py     image files → their appearance, read reduced and once

What the classes mean is defined in docs/metrics.md, "Slices".
"""
