"""What the app is measured beside: each in a process of its own, spoken to by lines of JSON."""
