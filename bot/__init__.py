"""The Slack application: from a stored event to a delivered reply."""
