"""The metrics store as pipelines use it.

place.py      where it lies
recording.py  the row of a run that has just finished
catch_up.py   rows of runs that others made, or all of them anew, from MLflow
"""
