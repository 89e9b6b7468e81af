"""The rows of memories: written, undone, forgotten, exported and kept in order."""
