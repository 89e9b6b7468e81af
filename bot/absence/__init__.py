"""What happens while something is away, and after it."""
