"""Designs: several runs asked for by one scenario, a sweep, a comparison or an ablation.

trials.py          Trial: one run of a design, as changes to the scenario
sections.py        SweepConfig, ComparisonConfig, AblationConfig
values.py          a parameter's values: a list, or a range
parameters.py      what can be varied: 'lr' → 'training.learning_rate'
components.py      what an ablation takes away: 'augmentation' → the options that are it
metrics.py         'mAP50' → 'det.mAP50', and whether more of it is better
flags.py           -p of a design's command: what is tried, and what is fixed
tried.py           values held against the fields that they are for
contradictions.py  what contradicts itself in a design, or between it and the rest
"""
