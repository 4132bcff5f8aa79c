"""The search: which values are tried next, and what came of them, on the medium.

study.py         Optuna's study: asks, is told, and goes on where it was killed
storage.py       where the study is kept; one sweep of a name at a time
strategies.py    samplers and pruners
halving.py       which trainings are gone on with
space.py         how many combinations there are, and which are near each other
combinations.py  a combination of values and its runs
objectives.py    the numbers that are made better
"""
