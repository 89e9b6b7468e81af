"""What a person does: commands, Home, forms, cards, promises, switches, export."""
