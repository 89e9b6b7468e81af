"""The table `messages`: one row is a message from its event to its answer."""
