"""Changes which version of a model is at the site.

promotion.py      promote, rollback, recover
evidence.py       reads what a release run really judged: the proof that a promotion asks for
alias_changes.py  carries out a journalled change, or completes an interrupted one
journal.py        one tag of the registered model for each change: its history
claims.py         lets one process at a time change a model's aliases
"""
