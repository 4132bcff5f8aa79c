"""Signs a release, and tells whether a model is one that the team has signed.

minisign.py  keys and signatures, as the program minisign writes and reads them
releases.py  what is signed of a registered version, and its check in the registry and in a bundle
"""
