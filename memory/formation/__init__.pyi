from .chat_model import (
    TokenUse as TokenUse,
    provider_and_name as provider_and_name,
)
from .evidence import OMITTED as OMITTED, TypedMessage as TypedMessage
from .following import follow_message as follow_message
from .extract import (
    Extractor as Extractor,
    calls_memory_tools as calls_memory_tools,
)
from .formation_model import FormationModel as FormationModel
from .former import FindReferences as FindReferences

__all__: list[str]
