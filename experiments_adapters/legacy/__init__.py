"""Directories of scripts that nobody may change.

registry.py         configs/experiments.yaml: which directories there are, and how to run them
registry_schema.py  its sections, checked
script_names.py     versions, dates and words in the names of scripts, in Hangul and English
scan/               what each script does, read from its code without running it
drift.py            what changed in a directory since it was scanned
migrate/            a script → a draft of a Trainer and a scenario

process.py, environment.py, arguments.py, changes.py, live_metrics/ … run a script untouched and
find what it made.
"""
