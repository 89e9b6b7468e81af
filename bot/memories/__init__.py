"""Commands, forms, edits and export of a person's own memories."""
