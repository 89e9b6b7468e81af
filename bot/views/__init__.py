"""Block Kit: pure functions."""
