"""Measures a detector, for every stage alike.

accuracy.py     one evaluator for every format
leaks.py        what of the judged images is in train already
slices.py       small boxes, night, one camera: how well each is found
evidence.py     what its intervals count: recordings, cameras or images
timing.py       latency, throughput, cameras
batch_sizes.py  the fastest batch size, and the memory that each takes
conditions.py   a quiet machine for them, and what is left out without one
model_page.py   the numbers on the page of the model they were measured of
mot.py          tracking over sequences
alarms/         alarms of rules over recordings
"""
