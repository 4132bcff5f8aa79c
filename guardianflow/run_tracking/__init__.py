"""Runs, artifacts and registered detectors: the only room that imports mlflow.

mlflow_store.py    MlflowStore: runs written and read by explicit id
registry.py        MlflowRegistry: a detector package ↔ a registered MLflow model
alias_store.py     MlflowAliasStore: aliases and tags of registered models, one write at a time
identity.py        whether a fetched detector is the one that was registered
model_files.py     the files of that model: package, code of ours, signature, requirements
model_pages/       what MLflow shows with a model: its description, its numbers
runtime_copy.py    which of our modules the model needs, copied under another name
detector_model.py  the model's own code, run by mlflow where this project may be missing
leftovers/          what a killed registration leaves, found and removed
launcher.py        the run that `mlflow run` made before it started us
run_records.py     runs and models as the contracts know them; what every store of runs does
data_inputs.py     the data set of a run, as MLflow's page shows it
connection.py      opening a store, retries, pages, mlflow's errors translated
names.py           what may stand as a key, a value and a name; no secret may
upkeep/            whose a run is, and its signs of life
uploads.py         what may be uploaded: no secret may
overview/          what lists show, read without loading mlflow
references.py      references to detectors, the version meant, and what is said when there is none
services/          whether the services behind a store are there and keep what they are given
spool/             what is written is kept here until the store has it
fakes/             the same promises in memory, for tests
"""
