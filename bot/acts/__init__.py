"""What people do with buttons, forms and words, and the parts of what they are shown."""
