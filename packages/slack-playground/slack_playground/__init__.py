"""A Slack and a stand-in model to run on a laptop, spoken to over HTTP and WebSocket only."""
