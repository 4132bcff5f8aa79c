"""`guardianflow pipeline`: train, quantise, judge and release, below one run.

pipeline.py  runs the stages
summary.py   what was made, how good, how fast, how large
"""
