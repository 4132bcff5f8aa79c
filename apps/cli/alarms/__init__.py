"""Commands about alarms: rules over recordings, without a run.

commands.py  the commands, their options and their help
show.py      prints what came of them
"""
