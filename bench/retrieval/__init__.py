"""How well a person's memories are found again: a small set of questions, and orders to compare."""
