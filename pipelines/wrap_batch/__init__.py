"""`guardianflow run --all`: runs many old scripts, and goes on where it stopped.

command.py  makes or resumes a batch, and shows it
run.py      runs its scripts
batch.py    what was asked and how far it is, kept in a file; who belongs to it
child.py    one script, in a process of its own
text.py     a batch in words
status.py   where each directory stands
"""
