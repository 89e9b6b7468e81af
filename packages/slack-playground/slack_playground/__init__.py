"""A Slack to run on this machine, spoken to over HTTP and WebSocket only."""
