"""The kinds of value a scenario holds, each with the words that say what it must be.

values.py  names, numbers, lists, shares
limits.py  what limits a release: by class, by slice, against the champion
"""
