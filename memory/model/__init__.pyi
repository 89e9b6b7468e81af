from .errors import WordsUnreadable as WordsUnreadable
from .custom_schemas import checked_schemas as checked_schemas
from .dates import (
    Until as Until,
    until as until,
)
from .namespace import kept_channel as kept_channel
from .references import (
    References as References,
    names_pattern as names_pattern,
    references_in as references_in,
)
from .schemas import (
    EPISODE_KIND as EPISODE_KIND,
    INSTRUCTION_KIND as INSTRUCTION_KIND,
    KEPT_KIND as KEPT_KIND,
    LEVEL_FIELDS as LEVEL_FIELDS,
    PROMISE_KIND as PROMISE_KIND,
)
from .statement import MessageKey as MessageKey
from .text import (
    THOUGHT_TAG as THOUGHT_TAG,
    estimated_tokens as estimated_tokens,
    framed as framed,
    folded as folded,
    texts as texts,
    without_thoughts as without_thoughts,
)

__all__: list[str]
