"""Bolt's listeners: thin, one job each."""
