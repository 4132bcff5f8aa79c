"""Directories of scripts that nobody may change.

registry.py         configs/experiments.yaml: which directories there are, and how to run them
registry_schema.py  its sections, checked
script_names.py     versions, dates and words in the names of scripts, in Hangul and English
scan/               what each script does, read from its code without running it
"""
