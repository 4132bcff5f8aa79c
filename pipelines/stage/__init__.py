"""Parts that every stage shares.

kinds.py          the table of stage kinds
plan.py           scenario → the stages that will run
stage.py          prepare, reuse or work: the run around a stage's work
code_identity.py  the part of our own code that a stage's result depends on
executor.py       runs a stage in a process of its own
fork_server.py    a process that has the libraries imported, which stages are forked from
events.py         what that process tells
tracked_run.py    opens and ends a run
parent_run.py     a run with stages below it, and how it is resumed
inputs.py         data set and source model
weight_trust.py   looks at weights before anything opens them
backend_check.py  asks whether a backend runs here
"""
