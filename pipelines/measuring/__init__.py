"""Measures accuracy, time and tracking of a detector, for every stage alike."""
