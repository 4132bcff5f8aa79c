"""What MLflow's page of a model shows beside its files.

descriptions.py  what a version is, its verdict, and the way to the release's report
metrics.py       the numbers of a run that judged it, with the data set they were taken on
"""
