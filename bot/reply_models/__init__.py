"""The models that write replies: requests to them, and whether they answer."""
