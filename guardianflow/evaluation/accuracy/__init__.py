"""Counts matches between true boxes and detections, and says how sure the numbers are."""
