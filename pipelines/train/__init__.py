"""`guardianflow train`: trains by an experiment's code and registers the best model.

stage.py  the stage
"""
