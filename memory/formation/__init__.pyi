from .chat_model import (
    TokenUse as TokenUse,
    provider_and_name as provider_and_name,
)
from .evidence import OMITTED as OMITTED
from .following import follow_message as follow_message
from .extract import calls_memory_tools as calls_memory_tools
from .former import FindReferences as FindReferences

__all__: list[str]
