"""Commands about directories of old scripts, which nobody may change.

scan.py     finds scripts and writes the registry
status.py   tells where each directory stands
migrate.py  drafts a Trainer and a scenario from a script
"""
