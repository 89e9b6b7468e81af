"""What Slack sends: events have a middleware; commands, clicks and forms have listeners."""
