"""LangMem's memory tools for the model that replies."""
