"""Whether a stage has been done already, found out without doing anything: see docs/reuse.md.

identity.py  what a stage's result depends on, as values
lookup.py    finished runs that stand in for stages, found before a process is started
explain.py   what differs from the last finished run, in words
"""
