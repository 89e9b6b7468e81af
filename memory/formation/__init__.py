"""New memories from what a person typed: extraction, evidence, verdict, commit."""
