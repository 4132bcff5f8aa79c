"""Measures a detector, for every stage alike.

accuracy.py  one evaluator for every format
timing.py    latency, throughput, cameras, and their conditions
mot.py       tracking over sequences
"""
