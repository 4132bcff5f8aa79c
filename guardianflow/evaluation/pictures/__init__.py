"""Draws results as PNG files."""
