"""Function tools that the model can call during a turn."""
