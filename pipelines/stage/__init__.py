"""Parts that every stage shares.

kinds.py          the table of stage kinds
plan.py           scenario → the stages that will run
stage.py          what a stage is asked, what it may use, what it tells
author_code.py    the author's class that a stage works with, or none
code_identity.py  the part of our own code that a stage's result depends on
executor.py       runs a stage in a process of its own
fork_server.py    a process that has the libraries imported, which stages are forked from
events.py         what that process tells
quiet.py          the wait for a quiet machine
tracked_run.py    opens and ends a run
parent_run.py     a run with stages below it, and how it is resumed
backend_check.py  asks whether a backend runs here
inputs/           the data set, and the detector that a stage starts from
execution/        carries a stage out: the run around its work, or a finished one that stands in
leftovers/        what killed processes leave behind
"""
