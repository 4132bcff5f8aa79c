"""Releases: may a model replace the one at the site, and the way there and back.

models       a model in a release, and what was measured of it
gates        limits and measurements with intervals → pass, fail or undecided, with the cause
decision     which variant may be deployed, of those that pass
explanation  verdicts and decisions in English
report/      one self-contained page of a release, in English and Korean
promotion/   candidate → champion → rollback, journalled, on the evidence of a release run
bundle/      the directory that goes to the box at the site, verified and switched atomically

Pure policy over results and ports: no MLflow, no file formats of backends.
"""
