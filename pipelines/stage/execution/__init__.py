"""Carries a stage out.

execute.py        the run around a stage's work
finished_runs.py  finished runs that stand in for new work
stop_request.py   asks a stage to end, from another thread
"""
