"""Carries out what a person asks for: by a click, a form, a command, or words in a message."""
