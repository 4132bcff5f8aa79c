"""Which calls and commands train, infer or quantise.

calls.py          a call by its full name → what it means
libraries.py      the tables: functions of libraries and of edge runtimes
commands.py       commands of a shell, and GStreamer's pipelines
text_patterns.py  calls in a text that has no syntax tree
"""
