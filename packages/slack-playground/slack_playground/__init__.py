"""A Slack to run on this machine, accessible only over HTTP and WebSocket."""
