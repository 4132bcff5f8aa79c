"""Draws construction scenes; knows nothing of the rest of this project."""
