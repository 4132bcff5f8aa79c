"""A sweep: trials of one scenario, with values that are searched for, below one parent run.

runner.py         SweepRunner: checks, parent run, trials, table, the best one registered
trials.py         what a combination of values is run as
engine.py         works through the trials: a pool, retries, pruning
failures.py       which failures are tried again, and which end all
kept_weights.py   the runs in the store: their state, the weights of the best alone
registration.py   registers the best run's model
search/           which values are tried next, and what came of them
report/           what is shown while it works, and at its end
"""
