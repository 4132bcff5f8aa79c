"""The built-in experiment, an Ultralytics YOLO detector: a trainer like any author's.

    train.py       Trainer
    arguments.py   a scenario's words in Ultralytics' words
    finetune.py    a short further training, for quantisation-aware training

Ultralytics is imported where it is used, so that this package loads without it.
"""
