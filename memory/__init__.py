"""Long-term memory of people: recall, formation, undo and erasure. It does not know Slack.

The public names are listed once, in ``__init__.pyi``. Each is imported when it is first used, so
that importing this package is cheap: LangMem is imported by the first `Former.form` or `warm_up`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
