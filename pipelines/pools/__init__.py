"""Carries out several stages at once: on this machine, or on those of a Ray cluster.

port.py      StagePool: what the two promise, and what a stage needs of a machine
queueing.py  what they share: stages wait in order, each that works has a thread
local.py     LocalPool: processes of this machine
shares.py    this machine's cores and GPUs, divided among them
cluster      RayPool: machines of a Ray cluster
make.py      pool_for: the pool that `--executor` and `--parallel` ask for
"""
