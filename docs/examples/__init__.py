"""Programs for LangMem's functions and for `memory`, each on one page (README.md)."""
