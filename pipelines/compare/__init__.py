"""`guardianflow compare`: variants of one model beside each other.

comparison.py  runs the stages below one run
table.py       each variant against the original, and the best within the limits
"""
