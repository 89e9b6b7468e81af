"""Searching one person's memories among many people's: what is found, and how long it takes."""
