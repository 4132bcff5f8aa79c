"""The `guardianflow` command. Only click is imported before a command is chosen.

main.py            the commands, each a thin face on pipelines
sections.py        lists commands in the order of the work
flags.py           the flags of scenarios, compiled to a scenario
doctor.py          what this machine is, and which backends run on it
listing.py         experiments, runs and models of the store
model_commands.py  models, promote, rollback, history
models.py          prints what those find
pull.py            a registered detector into a box's directory, and its check
report.py          a release's report into a file
mot.py             judges result files of any tracker
progress.py        a bar for people, a line now and then for logs
legacy/            commands about old scripts
"""
