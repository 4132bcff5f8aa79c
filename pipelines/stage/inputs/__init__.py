"""What a stage works on.

data_sets.py     the scenario's data set as local data, and the split that is taken of it
sources.py       the detector that it starts from
weight_trust.py  looks at weights before anything opens them
"""
