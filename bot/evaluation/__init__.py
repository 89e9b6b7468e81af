"""`kioku eval`: how well the configured model forms memories, measured with written cases."""
