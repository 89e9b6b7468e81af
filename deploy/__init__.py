"""Putting Kioku somewhere."""
