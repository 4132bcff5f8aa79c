"""Finds out whether a backend really runs on this machine.

probe.py  asks a child process and keeps the answer
child.py  tries, in a process that may die of it
"""
