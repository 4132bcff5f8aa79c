"""Commands about directories of old scripts, which nobody may change.

commands.py  adds the commands to `guardianflow`
scan.py      finds scripts and writes the registry
migrate.py   drafts a Trainer and a scenario from a script
wrap.py      runs a script, or many
batch.py     runs many
status.py    tells where each directory stands
"""
