"""The end of a wrapped script, as seen from outside: what it wrote elsewhere, and why it failed.

written.py      files that it opened for writing and directories that it made, as it noted them
outside.py      its results among these that the comparison of its own directory does not show
last_error.py   the exception that ended it, in the lines that it printed
"""
