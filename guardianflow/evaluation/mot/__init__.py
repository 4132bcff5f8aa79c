"""Tracks objects through image sequences and scores the tracks."""
