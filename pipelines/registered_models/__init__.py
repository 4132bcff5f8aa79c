"""Promotes, rolls back and pulls registered models.

registry.py  ModelRegistry: versions, champions, history
evidence.py  reads what a release run judged
pull.py      from the registry to a directory of bundles
"""
