"""Alarms over recordings, measured for every stage alike; docs/alarms.md says how they count.

inputs.py     the scenario's rules and recordings, found and checked
detecting.py  a model over recordings, once; what it found is kept in the work directory
judging.py    rules over it, counted: figures, metrics, what could not be told
pictures.py   timelines, film strips, operating curves
files.py      results/alarms.csv, incidents.csv, alarms.json
"""
