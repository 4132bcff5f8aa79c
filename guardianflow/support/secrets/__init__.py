"""Keeps secrets out of parameters, tags, files, logs and what is shown."""
