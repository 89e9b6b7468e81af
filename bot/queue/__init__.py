"""Jobs on procrastinate."""
