"""Runs, artifacts and registered detectors: the only room that imports mlflow.

mlflow_store.py    MlflowStore: runs written and read by explicit id
registry.py        MlflowRegistry: a detector package ↔ a registered MLflow model
alias_store.py     MlflowAliasStore: aliases and tags of registered models, one write at a time
identity.py        whether a fetched detector is the one that was registered
model_files.py     the files of that model: package, code of ours, signature, requirements
runtime_copy.py    which of our modules the model needs, copied under another name
detector_model.py  the model's own code, run by mlflow where this project may be missing
launcher.py        the run that `mlflow run` made before it started us
experiments.py     experiments by name: found, made, refused when deleted
run_records.py     runs and models as the contracts know them; filters and batches
connection.py      opening a store, retries, pages, mlflow's errors translated
names.py           what may stand as a key, a value and a name; no secret may
uploads.py         what may be uploaded: no secret may
references.py      references to detectors, and what is said when there is none
fakes/             the same promises in memory, for tests
"""
