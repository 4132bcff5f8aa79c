"""One training on several GPUs: a process for each, a rank, of which the first alone reports.

    launch.py     starts the ranks, follows them, and leaves none behind
    rank.py       `python -m …`: one rank, which trains as a training on one device does
    messages.py   what ranks tell, and which failure of several is the cause
    cpu.py        ranks on CPUs, to try all this where there are no GPUs

Ultralytics would start such processes itself. They would report nothing while they train, have its
trackers, downloads and caches switched on again, and outlive a training that is stopped. Here the
ranks are our own: Ultralytics finds itself in one of several processes, as their environment says,
and shares the work. An epoch's report waits for its answer, as a call does, so that the checkpoint
of that epoch is still there when it is kept; results.csv could be followed only some time later.
"""
