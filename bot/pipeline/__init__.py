"""One message from the inbox to its reply, and the memories formed of it. Start with `worker`."""
