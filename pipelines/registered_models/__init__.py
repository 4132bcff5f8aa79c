"""Promotes, rolls back and pulls registered models.

registry.py  ModelRegistry: versions, champions, history
pull.py      from the registry to a directory of bundles
"""
