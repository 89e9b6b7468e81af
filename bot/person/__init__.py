"""One person: what Slack says of them, and what they decided about their memory."""
