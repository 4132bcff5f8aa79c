"""Promotes, rolls back, pulls and copies registered models.

registry.py  ModelRegistry: versions, champions, history
evidence.py  reads what a release run judged
copy.py      from one registry to another
sign.py      signs a version for boxes that take only what the team has released
pull.py      from the registry to a directory of bundles
"""
