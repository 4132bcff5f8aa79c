"""Carries a stage out.

execute.py        the run around a stage's work
worker.py         what a stage's process is given, its directory and order, and its log as it grows
stop_request.py   asks a stage to end, from another thread
abandoned.py      ends the runs of a process that can't do so any more
finished_runs.py  finished runs that stand in for new work
"""
