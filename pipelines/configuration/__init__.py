"""The settings of this machine: what each is and where it comes from, and whether they hold.

sources.py  each setting with its value and its source
checks.py   reaches every service that the settings name
"""
