"""Long-term memory of people: recalled, formed, seen and forgotten. It knows nothing of Slack."""
