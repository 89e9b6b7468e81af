"""What is kept for a channel: only by a click, in the words of its author."""
