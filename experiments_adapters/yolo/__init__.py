"""The built-in experiment, an Ultralytics YOLO detector: a trainer like any author's."""
