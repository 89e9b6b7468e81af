"""Long-term memory of people: recall, formation, undo and erasure. It does not know Slack.

The names that every caller needs are listed once, in ``__init__.pyi``; `memory.store`,
`memory.formation`, `memory.recall` and the other packages list their own. Each name of this one is
imported when it is first used: `kioku up` starts `EmbeddedPostgres` half a second before OpenAI's
client and LangGraph are imported. LangMem is imported by the first `Former.form` or
`Former.warm_up`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
