"""The `guardianflow` command. Only click is imported before a command is chosen.

main.py             the commands, and what runs a scenario
model_commands.py   models, versions, promote, rollback, history, uri
legacy_commands.py  scan, status, migrate, run, wrap
options.py          the options of commands that `python -m pipelines.X` has not
flags.py            makes click's commands from those tables
sections.py         lists commands in the order of the work
run_scenario.py     compiles flags to a scenario and runs it
doctor.py           what this machine is, and which backends run on it
listing.py          experiments, runs and models of the store
models.py           prints what the commands about models find
pull.py             a registered detector into a box's directory, and its check
copy.py             a registered detector into another registry
report.py           a release's report into a file
mot.py              judges result files of any tracker
deployment/         what an installation without internet needs
signing/            keys, and signatures of releases
config/             the settings of this machine, and whether they hold
alarms/             judges and tunes rules over recordings
data/               groups of images, splits, leaks of a data set
automation/         alerts, and what is started because of them
metrics/            figures of all finished runs; the dashboard
legacy/             scan, status and migrate at work
upkeep/             finishes or clears away what was interrupted
"""
