"""Drafts a Trainer and a scenario from a script that runs as it is. The script is only read.

    draft.py              make_draft, write_draft: both files or none
    train_calls.py        the script's calls of Ultralytics' train, and the values they get
    path_values.py        paths that it puts together
    values.py             those values as a scenario's fields; what is not known is a TODO
    ultralytics_text.py   train.py around one call of YOLO(…).train(…)
    script_text.py        train.py around any other script, which it runs
    scenario_text.py      scenario.yaml

Where the script leaves a value open, the draft has a TODO for a person.
"""

from __future__ import annotations

from .draft import Draft, make_draft, write_draft

__all__ = ["Draft", "make_draft", "write_draft"]
