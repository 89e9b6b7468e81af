"""Slack: client, payloads, files, kinds of conversation, rate limits."""
