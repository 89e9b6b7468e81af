"""Messages that Slack did not deliver during an outage."""
