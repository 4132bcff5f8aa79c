"""Utilities that any room may use; nothing of this project is imported here but its siblings.

Each does one thing that was, or would be, written in several rooms.
"""
