"""Prepares images for a network and reads boxes from its output."""
