"""Values of the metrics store: what is kept of a finished run.

rows.py  one row for each run
"""
