from .arguments import read_arguments as read_arguments
from .definitions import function_tool as function_tool

__all__: list[str]
