"""The forms of Slack's tokens and OpenAI's key: what can be said without asking anyone."""

from __future__ import annotations

from urllib.parse import urlsplit

from bot.config import Settings
from bot.locale import Language, say
from bot.runtime.startup import StartError

_PREFIXES = {"SLACK_BOT_TOKEN": "xoxb-", "SLACK_APP_TOKEN": "xapp-"}
_PLACES = {"SLACK_BOT_TOKEN": "check_where_bot_token", "SLACK_APP_TOKEN": "check_where_app_token"}
_KINDS = {
    "xoxb-": "check_kind_bot",
    "xoxp-": "check_kind_user",
    "xapp-": "check_kind_app",
    "xoxe": "check_kind_rotated",
}


def where_to_copy(name: str, language: Language) -> str:
    """Return where in an app's settings at Slack the token of setting `name` is."""
    return say(language, _PLACES[name])


def wrong_token(name: str, value: str, language: Language = "en") -> str | None:
    """Return one sentence if `value` does not have the form of setting `name`."""
    prefix = _PREFIXES[name]
    if value.startswith(prefix):
        return None
    kind = next((kind for start, kind in _KINDS.items() if value.startswith(start)), None)
    return say(
        language,
        "check_wrong_kind",
        name=name,
        kind=say(language, kind or "check_kind_none"),
        prefix=prefix,
        where=where_to_copy(name, language),
    )


def wrong_key(settings: Settings, language: Language = "en") -> str | None:
    """Return one sentence if OPENAI_API_KEY is for OpenAI itself and does not look like a key."""
    key, url = settings.openai_api_key, settings.openai_base_url
    own = url is None or urlsplit(url).hostname == "api.openai.com"
    if key is None or not own or key.get_secret_value().startswith("sk-"):
        return None
    return say(language, "check_wrong_key")


def require_tokens(settings: Settings) -> None:
    """Raise `StartError` for half of Slack's tokens, or a token or key of a wrong form."""
    tokens = {
        "SLACK_BOT_TOKEN": settings.slack_bot_token,
        "SLACK_APP_TOKEN": settings.slack_app_token,
    }
    for name, token in tokens.items():
        if token is not None and (wrong := wrong_token(name, token.get_secret_value())):
            raise StartError(wrong)
    missing = [name for name, token in tokens.items() if token is None]
    if len(missing) == 1:
        [given] = set(tokens) - set(missing)
        raise StartError(
            f"{given} is set without {missing[0]}: copy it from your app's"
            f" {where_to_copy(missing[0], 'en')}, or run `kioku setup`, which asks for both."
        )
    if wrong := wrong_key(settings):
        raise StartError(wrong)
