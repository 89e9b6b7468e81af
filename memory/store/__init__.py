"""The rows of memories: written, undone, forgotten, exported and kept in order."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
