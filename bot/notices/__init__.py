"""What a person is told of what was remembered, and why something is not answered."""
