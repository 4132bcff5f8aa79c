"""`guardianflow run NAME`: runs an old script unchanged, as a run of MLflow.

command.py          the command, and `python -m pipelines.wrap`
run.py              runs it
plan.py             what will run, found out before anything starts
outcome.py          what came of it, and both in words
live_upload.py      uploads output and load while it runs
artifacts.py        what it wrote
weights.py          the detector it made, registered
package_weights.py  packages weights in a process of its own
"""
