"""Failures of others' code and libraries that are known by name, and what helps.

known.py        one table: what a library says → reason and cure
translated.py   a foreign exception → the error class with both
losses.py       whether a reported loss is a number still
checkpoints.py  which checkpoint of a training that broke off is whole and holds numbers
loading.py      data loaders without processes of their own, and memory that is given back
"""
