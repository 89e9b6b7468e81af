"""Telling a person what became of their memories."""
