"""New memories from what a person typed: extraction, evidence, verdict, commit."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
