"""The memories that are relevant to a message."""
