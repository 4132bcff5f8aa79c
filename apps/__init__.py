"""Faces of GuardianFlow: the command line; later a dashboard and automation."""
