"""The Web API: POST /api/METHOD, as strict as Slack's; each module registers its methods."""

from slack_playground.web_api import (  # noqa: F401
    agents,
    chat,
    conversations,
    files,
    oauth,
    people,
    views,
)
from slack_playground.web_api.dispatch import answer_call

__all__ = ["answer_call"]
