"""Metrics of a script that knows nothing of us, while it runs.

    printed.py       lines it prints             ┐
    tables.py        CSV, JSON, JSONL it writes  ├─ Reading ─ buffer.py ─ MetricPoint ─ the run
    tensorboard.py   event files it writes       ┘
    metric_keys.py   a Reading, and the key that it gets in the run
    buffer.py        one owner for each key, one value for each point
    collector.py     the thread that looks at all of them now and then

The script stays untouched: all this is read from outside while it runs.
"""

from .collector import LiveMetrics, LiveSummary

__all__ = ["LiveMetrics", "LiveSummary"]
