"""An answer on its way into Slack: streamed or posted, within the limits, once."""
