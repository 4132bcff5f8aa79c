"""Directories of scripts that nobody may change: found, registered, run and watched, migrated.

Which there are:
    registry.py           configs/experiments.yaml: the directories, and how to run their scripts
    registry_schema.py    its sections, checked
    registry_update.py    new findings into a registry that people have edited
    drift.py              what changed in a directory since it was scanned
    directory_lock.py     one run at a time in a directory

How a script is run untouched:
    before_start/         its options as words, and what would stop it
    arguments.py          its command line, filled in
    environment.py        its interpreter and variables
    inside_script.py      copied beside it: keeps Ultralytics' MLflow runs out, notes files
    process.py            its process: output, signals, timeout, what it leaves running
    output_log.py         what it prints, in a file of bounded size
    git_state.py          which commit its directory is at

What it made:
    walk.py               the files below a directory, without data sets
    changes.py            files that it wrote, by content
    weights.py            which of these is the detector

    scan/                 reads from their code what scripts do; imports none of these modules
    live_metrics/         the numbers of a script while it runs
    outcome/              its results outside its directory, and the error that ended it
    migrate/              a script → a draft of a Trainer and a scenario
"""

from pathlib import Path

DEFAULT_FILE = Path("configs/experiments.yaml")
"""The registry, from the working directory."""
