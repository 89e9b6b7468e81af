"""The `kioku` command and the roles it starts."""
