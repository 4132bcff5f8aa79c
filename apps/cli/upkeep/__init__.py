"""Commands that finish or clear away what was interrupted.

commands.py  what each takes, and its help
resume.py    goes on with a run that did not end well
sync.py      sends what was logged while the server was away
reap.py      ends runs whose process is gone, removes what was left half-made
"""
