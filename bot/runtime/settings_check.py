"""Finds what is wrong with the settings alone, before anything is started."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bot.config import FIELDS, Settings
from bot.network import is_this_machine
from bot.runtime.problems import TOKENS, Problem, token
from memory import load_schemas
from memory.model import OPENAI_HOST, provider_and_name, speaks_openai

_TOKEN_LENGTH = 32


def _check_other_provider(model: str, setting: str) -> None:
    """Raise `Problem` if the model of another provider than OpenAI cannot be created."""
    if speaks_openai(model):
        return
    provider = provider_and_name(model)[0]
    from memory import memory_model  # takes a second, which few installations need

    try:
        memory_model(model=model)
    except ImportError as missing:
        named = re.search(r"langchain[\w-]*", str(missing))
        package = f"langchain-{provider.replace('_', '-')}"
        if named is not None:
            package = named[0]
        raise Problem(
            f"{model} needs the package {package}: run `pip install {package}` where Kioku is"
            f" installed, or set {setting} to another model."
        ) from None
    except Exception:  # noqa: BLE001 - each provider's package has errors of its own
        raise Problem(
            f"{model} cannot be used: set the provider's key, or AWS's region, in the provider's"
            f" own variable, or set {setting} to another model."
        ) from None


async def check_settings(settings: Settings) -> str:
    """Check what needs no connection: forms of tokens, settings that need each other, packages."""
    _check_tokens(settings)
    _check_openai_key(settings)
    _check_api_token(settings)
    _check_other_provider(settings.reply_model, "KIOKU_REPLY_MODEL")
    if settings.formation != "off":
        _check_other_provider(settings.memory_model, "KIOKU_MEMORY_MODEL")
    load_schemas(settings.schemas)
    return "No value is missing or of a wrong form."


def _check_tokens(settings: Settings) -> None:
    given = [name for name in TOKENS if getattr(settings, FIELDS[name]) is not None]
    for name in given:
        token(settings, name)
    if settings.slack_signing_secret is None and len(given) == 1:
        [lacks] = TOKENS.keys() - given
        raise Problem(
            f"{given[0]} is set without {lacks}: copy it from your app's {TOKENS[lacks][1]}, or"
            " run `kioku setup`, which asks for both."
        )


def _check_openai_key(settings: Settings) -> None:
    key = settings.openai_api_key
    url = settings.openai_base_url
    is_for_openai = url is None or urlsplit(url).hostname == OPENAI_HOST
    if key is None or not is_for_openai:
        return
    if not key.get_secret_value().startswith("sk-"):
        raise Problem(
            "OPENAI_API_KEY has to begin with sk-: copy it from"
            " https://platform.openai.com/api-keys, or set OPENAI_BASE_URL to your provider's"
            " address."
        )


def _check_api_token(settings: Settings) -> None:
    """Raise `Problem` for a token that could be guessed by those who reach the port."""
    token = settings.api_token
    if token is None or is_this_machine(settings.listens_on):
        return
    if len(token.get_secret_value()) < _TOKEN_LENGTH:
        raise Problem(
            f"KIOKU_API_TOKEN needs at least {_TOKEN_LENGTH} characters where others reach PORT:"
            " `openssl rand -hex 24` makes one."
        )
