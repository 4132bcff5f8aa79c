"""What an alert starts.

decisions.py  which alerts may start something now, and why the others may not
plans.py      an alert → what exactly is run: from the scenario of the run it follows from
sources.py    what a run says of itself: its scenario, code, directory, and the runs behind it
starting.py   an order → a process; what became of those of before
worker.py     the process: takes the order, once, and carries it out
"""
