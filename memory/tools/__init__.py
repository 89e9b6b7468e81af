"""The memory tools of the replying model."""

from memory.tools.arguments import read_arguments as read_arguments
from memory.tools.definitions import (
    CHANGE_TOOL as CHANGE_TOOL,
    function_tool as function_tool,
)
