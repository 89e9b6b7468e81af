from .custom_schemas import checked_schemas as checked_schemas
from .dates import (
    Until as Until,
    until as until,
)
from .schemas import (
    EPISODE_KIND as EPISODE_KIND,
    INSTRUCTION_KIND as INSTRUCTION_KIND,
    LEVEL_FIELDS as LEVEL_FIELDS,
    PROMISE_KIND as PROMISE_KIND,
)
from .statement import MessageKey as MessageKey
from .text import folded as folded

__all__: list[str]
