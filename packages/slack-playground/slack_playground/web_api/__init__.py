"""The Web API: POST /api/METHOD, as strict as Slack's."""

from slack_playground.web_api.dispatch import WebApi

__all__ = ["WebApi"]
