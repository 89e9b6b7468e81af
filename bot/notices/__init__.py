"""Messages that tell a person of changes of their memories, with Undo."""
