"""A script that runs as it is → a Trainer and a scenario to review. The script is only read.

draft.py            migrate(experiment, …): what to write, and writing it
train_calls.py      the script's calls of Ultralytics' train, and the values they get
values.py           those values as a scenario's fields; what is not known is a TODO
ultralytics_text.py train.py around one call of YOLO(…).train(…)
script_text.py      train.py around any other script, which it runs
scenario_text.py    scenario.yaml
"""

from __future__ import annotations

from .draft import Draft, make_draft, write_draft

__all__ = ["Draft", "make_draft", "write_draft"]
