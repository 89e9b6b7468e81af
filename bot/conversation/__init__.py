"""The table of messages: events, turns and answers."""
