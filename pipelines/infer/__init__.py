"""`guardianflow infer`: judges a model on a split.

stage.py  the stage
"""
