"""Find credentials in text and replace them."""
