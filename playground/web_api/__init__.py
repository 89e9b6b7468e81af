"""The Web API: POST /api/METHOD, as strict as Slack's."""

from playground.web_api.dispatch import WebApi

__all__ = ["WebApi"]
