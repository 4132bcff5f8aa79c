"""Proposals of how recordings are told, where nobody has said so. A wrong one is worse than none.

fields.py     a name → words, numbers, days, times, addresses, hashes
roles.py      which fields of alike names are camera, recording and frame
patterns.py   the regular expression of such a scheme
evidence.py   times in files, and whether neighbouring images look alike
propose.py    all of it → proposals, the best first
"""
