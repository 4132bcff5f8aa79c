"""Finds out whether a backend really runs on this machine."""
