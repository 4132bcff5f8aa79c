"""Gates: what a model must keep to be released, each judged on an interval.

judging.py   limits and measurements with intervals → pass, fail or undecided, with the cause
slices.py    the same for recall at night, in rain, of small boxes
alarms.py    the same for alarms over recordings
deciding.py  an interval against one limit
leaks.py     whether the judged images can prove anything
"""

from .judging import check_limits, judge_gates

__all__ = ["check_limits", "judge_gates"]
