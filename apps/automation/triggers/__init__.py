"""The rules of configs/triggers.yaml.

schema.py     what a rule may say
durations.py  '48h', '14d'
file.py       reads the file; every problem at once, with its line
"""
