"""What people see, as Block Kit: pure functions."""
