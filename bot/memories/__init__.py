"""Commands, forms, edits, import and export of a person's own memories."""
