"""What a person does with their own memories: commands, forms, edits, import and export."""
