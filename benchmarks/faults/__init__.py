"""What `python -m benchmarks.fault_campaign` is made of.

workloads.py   what is run: a quick author's trainer, the built-in one, a pipeline
author/        that trainer
place.py       the directory of a round, and the commands given in it
stores.py      a SQLite file, or a real server behind a proxy
moments.py     when a fault strikes
kinds.py       the kinds of faults
damage.py      harm to files that are left
disks.py       a small file system that fills up
rounds.py      a round from its beginning to its check
check.py       what must hold afterwards, read by MLflow's own client
"""
