"""The tables of messages and turns."""
