"""Connecting Kioku to a Slack workspace: the page of `kioku up`, and `kioku setup`."""
