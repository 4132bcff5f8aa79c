"""The store, the registry and aliases in memory; they pass the conformance suites of MLflow's.

store.py     runs and registered models
aliases.py   aliases and tags of registered models
overview.py  lists of both
"""
