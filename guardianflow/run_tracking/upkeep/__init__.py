"""Whose a run is, and what keeps a store fit for many writers and free of halves.

journal_mode.py   lets many processes write into one SQLite file
ownership.py      the process that a run belongs to, and its signs of life
"""
