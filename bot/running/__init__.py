"""Processes: what each role is made of, and what operators do."""
