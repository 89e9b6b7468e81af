"""What a person is told of what was remembered."""
