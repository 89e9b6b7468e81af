"""Memories formed from what a person says, types into a form, or points to."""
