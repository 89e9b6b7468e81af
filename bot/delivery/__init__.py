"""Delivery of an answer to Slack: streamed or posted, within Slack's limits, exactly once."""
