"""`guardianflow alerts` and `guardianflow optimize`.

options.py   their options
commands.py  the commands, and what --help says of them
alerts.py    lists, acknowledges and sends alerts
optimize.py  shows, starts and watches what follows from them
"""
