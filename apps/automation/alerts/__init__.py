"""Where a rule's limit is passed, and what people said of it.

models.py   an alert
judging.py  rules × rows of the store → alerts, the worst first
board.py    alerts with what people said of them: for the command and the pages
"""
