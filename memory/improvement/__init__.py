"""LangMem's prompt optimizers for the sections of prompts that may change, and the checks."""
