"""What the rooms agree on: errors, results and ports. Standard library and support/ alone.

errors.py            one tree of errors
run_status.py        how far a run is, or how it ended
results.py           frozen values that rooms hand to each other
ports.py             what a room may ask of another
detector_package.py  a detector's files, their description, and its identity
measurements.py      what was measured, with intervals
quantisation.py      recipes of quantisation
releases.py          limits, verdicts, the journal of aliases
sequences.py         sequences of images for tracking
system.py            usage of processors and memory
given.py             paths, addresses and numbers that somebody typed
"""
