"""Alarms of rules over recordings: raised, counted against what truly happened, and tuned.

detecting.py     a detector over a recording, frame by frame; what it found, kept on disk
rules.py         kept boxes → alarms, in milliseconds
checks.py        what is wrong with rules
counting.py      alarms against incidents: hit, false or neither
rates.py         counts → figures with intervals
differences.py   two models on the same recordings
curve.py         what is missed against what is raised falsely, as a rule is set otherwise; tuning

docs/alarms.md defines everything.
"""
