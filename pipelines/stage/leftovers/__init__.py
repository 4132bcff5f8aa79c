"""What processes leave that were killed: runs that nobody ends, directories that nobody removes.

dead_runs.py   RUNNING runs whose process is gone, ended as KILLED
logs.py        logs that runs have yet to get
folders.py     directories of attempts, and files that were never finished
"""
