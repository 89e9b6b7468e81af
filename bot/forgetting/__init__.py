"""Forgetting: what is asked before, what is hidden at once, and what is deleted later."""
