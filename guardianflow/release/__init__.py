"""Decides whether a model may replace the one at the site, and takes it there and back.

    models.py       a model in a release, and what was measured of it
    gates/          limits and measurements with intervals → pass, fail or undecided, with the cause
    decision.py     which variant may be deployed, of those that pass
    explanation.py  verdicts and decisions in English
    promotion/      candidate → champion → rollback, journalled; interrupted changes are completed
    report/         one self-contained page of a release, in English and Korean
    signing/        what a team signs of a release, and its check
    bundle/         the directory that goes to the box at the site, verified and switched at once

Pure policy over results and ports: no MLflow, no file formats of backends.
"""
