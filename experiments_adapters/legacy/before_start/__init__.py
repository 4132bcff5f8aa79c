"""A script before it starts: nothing of it is imported or run.

check.py           looks for what would stop it
course.py          the imports and calls of a start, as far as its code tells
interpreter.py     asks its interpreter what it can import
files.py           data, weights and paths that are not there
findings.py        what was found, as a value
option_words.py    an option and its value → words of the command line
"""
