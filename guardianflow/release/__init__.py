"""Whether a model may replace the one at the site, and the way there and back.

gates        limits and measurements with intervals → pass, fail or undecided
decision     which variant may be deployed, of those that pass
evidence     what a release run really judged: the proof that a promotion asks for
promotion    candidate → champion → rollback, journalled; interrupted changes are completed
report       one self-contained page of a release, in English and Korean
bundle       the directory that goes to the box at the site, verified and switched atomically

Pure policy over results and ports: no MLflow, no file formats of backends.
"""
