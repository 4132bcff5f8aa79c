"""Git, called so that nothing a repository configures is run.

command   every call of git
allowed   which repositories a machine trusts
source    experiment code in a repository: cloned, kept, checked out
"""
