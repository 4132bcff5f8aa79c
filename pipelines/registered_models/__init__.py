"""Promotes, rolls back and pulls registered models."""
