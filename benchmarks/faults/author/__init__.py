"""The experiment that is trained while faults strike: train.py is copied to where users keep it."""
