from .chat_model import (
    TokenUse as TokenUse,
    provider_and_name as provider_and_name,
)
from .evidence import OMITTED as OMITTED
from .extract import calls_memory_tools as calls_memory_tools
from .former import FindReferences as FindReferences
from .sources import (
    source_changed as source_changed,
    sources_among as sources_among,
)

__all__: list[str]
