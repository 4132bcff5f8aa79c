"""What each component of a training, or of a quantisation, is worth.

runner.py    runs the baseline and the changes, then all side by side
settings.py  which trial has which component, and which two differ in one alone
effects.py   the effect of each component with its interval, as a table
"""
