from .custom_schemas import checked_schemas as checked_schemas
from .schemas import LEVEL_FIELDS as LEVEL_FIELDS

__all__: list[str]
