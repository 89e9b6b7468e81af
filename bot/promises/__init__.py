"""Promises and reminders: their lines, their buttons, and the messages that remind."""
