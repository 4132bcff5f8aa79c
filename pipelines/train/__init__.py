"""`guardianflow train`: trains by an experiment's code and registers the best model.

stage.py          the stage
resumption.py     anew, or in the run of an attempt that did not end well
unfinished.py     the directory of a training that has not ended well yet, and its lock
snapshots.py      whole copies of its checkpoint
epoch_journal.py  what it reported, on the medium
curve.py          each point exactly once in the run
data_leaks.py     tells what of val and test is in train
attempts.py       calls the author's trainer, and tries again what has a way out
recovery.py       what is tried after which failure, as values
"""
