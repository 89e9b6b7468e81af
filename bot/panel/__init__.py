"""What is remembered about a person, as lists and forms: App Home and the window."""
