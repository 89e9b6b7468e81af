"""What a person does: commands, Home, forms, promises, switches, export."""
