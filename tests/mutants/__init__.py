"""Mutation testing by hand: CONTRIBUTING.md says when and how."""
