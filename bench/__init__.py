"""Measurements of Kioku and its peers."""
