"""One message from the inbox to its reply, and the memories formed from it. Start with `turn`."""
