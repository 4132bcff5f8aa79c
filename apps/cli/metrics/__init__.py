"""`guardianflow metrics` and `guardianflow dashboard`: figures of all finished runs.

options.py   their options
commands.py  the commands, and what --help says of them
show.py      does their work
"""
