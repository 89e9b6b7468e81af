"""Retrieval quality: a small set of questions, and orders of memories to compare."""
