"""Runnable counterparts of the code listings in two articles about LangMem (README.md)."""
