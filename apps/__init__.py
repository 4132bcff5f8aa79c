"""Faces of GuardianFlow.

cli/  the `guardianflow` command
"""
