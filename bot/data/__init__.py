"""All data about a person: exported or erased."""
