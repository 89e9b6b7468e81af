"""What Slack sends: events are stored without Bolt; its listeners get commands, clicks, forms."""
