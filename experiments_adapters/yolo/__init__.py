"""The built-in experiment, an Ultralytics YOLO detector: a trainer like any author's.

    train.py        Trainer
    engine.py       one process of Ultralytics at work, and its reports
    ranks/          one training on several GPUs
    arguments.py    a scenario's words in Ultralytics' words
    activation.py   a network of another activation
    checkpoints.py  what its last.pt says, and what is left to do
    finetune.py     a short further training, for quantisation-aware training
    distil.py       training-on after activations were changed, by the original's answers

Ultralytics is imported where it is used, so that this package loads without it.
"""
