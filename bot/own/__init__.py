"""What a person sees of their own memory, and does with it."""
