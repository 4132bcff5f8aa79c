"""Faces of GuardianFlow.

cli/         the `guardianflow` command
automation/  alerts, what is started because of them, who is told
dashboard/   figures of all sites over HTTP
"""
