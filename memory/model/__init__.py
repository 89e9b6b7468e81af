"""Persons, namespaces, kinds of memory and errors: types without a database."""

from memory.model.errors import (
    DatabaseNotReady as DatabaseNotReady,
    WordsUnreadable as WordsUnreadable,
)
from memory.model.custom_schemas import checked_schemas as checked_schemas
from memory.model.dates import (
    Until as Until,
    until as until,
)
from memory.model.model_errors import (
    ErrorCause as ErrorCause,
    ModelError as ModelError,
    has_not_arrived as has_not_arrived,
    model_error as model_error,
    model_error_in as model_error_in,
)
from memory.model.namespace import may_read as may_read
from memory.model.providers import (
    OPENAI as OPENAI,
    OPENAI_HOST as OPENAI_HOST,
    provider_and_name as provider_and_name,
    speaks_openai as speaks_openai,
)
from memory.model.schemas import (
    Content as Content,
    DUE_FIELDS as DUE_FIELDS,
    EPISODE_KIND as EPISODE_KIND,
    INSTRUCTION_KIND as INSTRUCTION_KIND,
    LEVEL_FIELDS as LEVEL_FIELDS,
    PROMISE_KIND as PROMISE_KIND,
    due_of as due_of,
    is_open_promise as is_open_promise,
)
from memory.model.sameness import (
    needles as needles,
    plain as plain,
)
from memory.model.statement import (
    MessageKey as MessageKey,
    Statement as Statement,
    messages_of as messages_of,
)
from memory.model.text import (
    Json as Json,
    Line as Line,
    MAX_TEXT as MAX_TEXT,
    estimated_tokens as estimated_tokens,
    frame as frame,
    framed as framed,
    folded as folded,
    normalized as normalized,
    depth as depth,
    objects as objects,
    texts as texts,
    with_texts as with_texts,
)
from memory.model.thoughts import (
    ThoughtFilter as ThoughtFilter,
    without_thoughts as without_thoughts,
)
