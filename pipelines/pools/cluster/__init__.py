"""Carries stages out on the machines of a Ray cluster.

pool.py        RayPool: what goes to the cluster, and what comes back of it
connection.py  the cluster: reached or started, what it has, our own code shipped to it
remote.py      one stage on the machine that the cluster has chosen; knows nothing of Ray
sent_code.py   an experiment's directory as one archive
sent_settings.py  settings and credentials
"""
