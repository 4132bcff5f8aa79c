"""Errors, results and ports that the rooms agree on. Standard library and support/ alone.

errors.py            one tree of errors
run_status.py        how far a run is, or how it ended
results.py           frozen values that rooms hand to each other
ports.py             what a room may ask of another
backends.py          what an inference backend can do, as data
detector_package.py  a detector's files, their description, and its identity
estimates.py         values with intervals, and how many samples an interval needs
measurements.py      what was measured
quantisation.py      recipes of quantisation
releases.py          limits, verdicts with their causes, the journal of aliases
sequences.py         sequences of images for tracking
system.py            usage of processors and memory
data_warnings.py     what is odd about a data set without being wrong
recordings/          groups of images, alarms over footage
run_metrics/         what the metrics store keeps of a run
given.py             paths, addresses and numbers that somebody typed
"""
