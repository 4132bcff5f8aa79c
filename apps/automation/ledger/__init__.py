"""What automation has decided, started and said: a file that only grows.

moments.py  times that a clock which jumps can't spoil
records.py  the lines
state.py    what they come to
ledger.py   the file: a lock, and lines that are on the medium before anything follows from them
"""
