"""The models: whether they are there, for how long, and whether memories can be formed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import openai

from bot.config import Settings
from bot.locale import Language, say
from bot.runtime.connections import create_openai_client
from bot.runtime.finding import Finding, fix, note, ok, without_secrets
from bot.runtime.memory_models import create_chat_model, missing_extra
from memory import (
    FormationUnavailable,
    MemoryModelRefused,
    calls_memory_tools,
    gives_verdicts,
    provider_and_name,
)

# OpenAI announces most shutdowns a quarter ahead or more.
SOON_DAYS = 90
_OPENAI_URL = "https://api.openai.com/v1/"
# The API takes no smaller limit.
_FEWEST_TOKENS = 16
_REMEMBERING = "Remembering"
# Settings that take any of LangChain's models, as ``provider:model``.
_CHAT = frozenset({"KIOKU_MEMORY_MODEL", "KIOKU_VERIFY_MODEL"})


async def examine_models(settings: Settings) -> AsyncIterator[Finding]:
    """Ask for each model once; one finding for each, or one for all where none can be asked."""
    if not settings.verify:
        yield note(
            "Verdicts",
            "KIOKU_VERIFY is off: proposed memories are stored when they quote the person; no model"
            " checks what they mean.",
        )
    if not settings.has_model:
        sentence = (
            "none is set: `kioku up` answers with the stand-in (scripted replies, not a language"
            " model). Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server that speaks the"
            " Responses API."
        )
        in_slack = settings.slack_bot_token is not None
        yield fix("Model", sentence) if in_slack else note("Model", sentence)
        return
    forms = settings.formation != "off"
    async with create_openai_client(settings, seconds=20.0) as client:
        for model, names in _named(settings).items():
            finding, goes_on = await _examine(client, settings, model, names)
            yield finding
            if not goes_on:
                return
            forms = forms and not (finding.level == "FIX" and _CHAT.intersection(names))
    if (fallback := settings.with_fallback_model()) is not None:
        yield await _examine_fallback(fallback)
    if forms:
        yield await _remembering(settings)


async def _examine_fallback(fallback: Settings) -> Finding:
    """Ask the fallback's server whether it has the model."""
    part, server = f"Model {fallback.reply_model}", _server(fallback)
    async with create_openai_client(fallback, seconds=20.0) as client:
        try:
            await client.models.retrieve(fallback.reply_model)
        except openai.APIError as error:
            status = getattr(error, "status_code", "no answer")
            return fix(
                part,
                f"{server} does not have it ({status}): check KIOKU_FALLBACK_MODEL,"
                " KIOKU_FALLBACK_BASE_URL and KIOKU_FALLBACK_API_KEY.",
            )
    return ok(part, "answers when the reply model does not (KIOKU_FALLBACK_MODEL).")


def _named(settings: Settings) -> dict[str, list[str]]:
    """Return each model that is used, and the settings that name it."""
    chosen = {"KIOKU_REPLY_MODEL": settings.reply_model}
    if settings.formation != "off":
        chosen["KIOKU_MEMORY_MODEL"] = _plain(settings.memory_model)
    if settings.verify and settings.verify_model:
        chosen["KIOKU_VERIFY_MODEL"] = _plain(settings.verify_model)
    chosen["KIOKU_EMBEDDING_MODEL"] = settings.embedding_model
    named: dict[str, list[str]] = {}
    for name, model in chosen.items():
        named.setdefault(model, []).append(name)
    return named


def _plain(model: str) -> str:
    """Return the name of an OpenAI model without its provider; any other as it is."""
    provider, name = provider_and_name(model)
    return name if provider == "openai" else model


async def _examine(
    client: openai.AsyncOpenAI, settings: Settings, model: str, names: list[str]
) -> tuple[Finding, bool]:
    """Return the finding, and whether it makes sense to ask for another model."""
    part = f"Model {model}"
    provider, _ = provider_and_name(model)
    if _CHAT.issuperset(names) and provider != "openai":
        if problem := missing_extra(model):
            return fix(part, problem), True
        return ok(part, f"is asked through LangChain's package for {provider}."), True
    try:
        found = await client.models.retrieve(model)
    except openai.APIError as error:
        return _refused(settings, error, model, names, "en")
    return _lifetime(part, names, found.shutdown_date, datetime.now(UTC).date()), True


async def check_replies(settings: Settings, language: Language = "en") -> Finding:
    """Ask the reply model for a few words: the key, the model and the account's credit."""
    model = settings.reply_model
    async with create_openai_client(settings, seconds=20.0) as client:
        try:
            await client.responses.create(
                model=model, input="Say OK.", max_output_tokens=_FEWEST_TOKENS, store=False
            )
        except openai.APIError as error:
            finding, _ = _refused(settings, error, model, ["KIOKU_REPLY_MODEL"], language)
            return finding
    text = say(language, "check_model_answers", model=model, server=_server(settings))
    return ok(f"Model {model}", text)


def _server(settings: Settings) -> str:
    return without_secrets(settings.openai_base_url or _OPENAI_URL).rstrip("/") + "/"


def _refused(
    settings: Settings, error: openai.APIError, model: str, names: list[str], language: Language
) -> tuple[Finding, bool]:
    """Return the finding about a request that failed; False if every other one would, too."""
    part = f"Model {model}"
    server = _server(settings)
    where, others = "OPENAI_BASE_URL", " and ".join(names)
    match error:
        case openai.APIConnectionError():
            where = where if settings.openai_base_url else say(language, "check_proxy")
            text = say(language, "check_no_answer", server=server, where=where)
            return fix("Model", text), False
        case openai.AuthenticationError():
            return fix("Model", say(language, "check_key_refused", server=server)), False
        case openai.PermissionDeniedError():
            return fix(part, say(language, "check_model_denied", names=others)), True
        case openai.NotFoundError(code="model_not_found"):
            text = say(language, "check_no_such_model", server=server, names=others)
            return fix(part, text), True
        case openai.NotFoundError():
            return note(part, say(language, "check_model_unknown", server=server)), True
        case openai.RateLimitError(code="insufficient_quota"):
            return fix("Model", say(language, "check_no_quota", server=server)), False
    status = getattr(error, "status_code", None)
    how = say(language, "check_status", status=status) if status else say(language, "check_garbled")
    return fix("Model", say(language, "check_model_fails", server=server, how=how)), False


def _lifetime(part: str, names: list[str], shutdown: object, today: date) -> Finding:
    try:
        end = date.fromisoformat(str(shutdown)) if shutdown else None
    except ValueError:
        return note(part, f"is there; its shutdown date cannot be read: {str(shutdown)[:40]!r}.")
    if end is None:
        return ok(part, "is there; no shutdown date is known.")
    days = (end - today).days
    todo = f"set {' and '.join(names)} to its successor"
    if "KIOKU_EMBEDDING_MODEL" in names:
        todo = "all memories have to be embedded again with its successor"
    if days <= 0:
        return fix(part, f"was shut down on {end}: {todo}.")
    left = f"will be shut down on {end}, {days} day{'s' * (days != 1)} from now"
    if days <= SOON_DAYS:
        return note(part, f"{left}: {todo} before that.")
    return ok(part, f"is there; it {left}.")


async def _remembering(settings: Settings) -> Finding:
    """Form one memory and ask for one verdict, of an invented sentence; nothing is stored."""
    model, setting = settings.memory_model, "KIOKU_MEMORY_MODEL"
    verdicts = settings.verdict_model
    try:
        if not await calls_memory_tools(create_chat_model(settings, model)):
            return fix(
                _REMEMBERING,
                f"{model} answers without a usable tool call, so it forms no memories: set"
                f" {setting} to a model that calls tools.",
            )
        if verdicts is None:
            return ok(_REMEMBERING, f"{model} called a memory tool.")
        model = verdicts
        if settings.verify_model:
            setting = "KIOKU_VERIFY_MODEL"
        if not await gives_verdicts(create_chat_model(settings, model)):
            return fix(
                _REMEMBERING,
                f"{model} gives no verdict that can be read, so nothing it is asked about is"
                f" stored: set {setting} to a model that calls tools.",
            )
    except MemoryModelRefused as refused:
        return fix(_REMEMBERING, _what_to_do(settings, model, setting, refused))
    except FormationUnavailable as away:
        return fix(_REMEMBERING, f"{model}: {str(away).rstrip('.')}; try again later.")
    except Exception as error:  # noqa: BLE001 - what a provider's package raises is its own
        return fix(
            _REMEMBERING,
            f"{model} cannot be asked ({type(error).__name__}): check the package of its provider"
            f" and its key in the environment, or set {setting} to another.",
        )
    return ok(
        _REMEMBERING, f"{settings.memory_model} called a memory tool, and {model} gave a verdict."
    )


def _what_to_do(settings: Settings, model: str, setting: str, refused: MemoryModelRefused) -> str:
    """Return the sentence for a refusal, by its status and the API that was used."""
    provider, _ = provider_and_name(model)
    why = ", ".join(filter(None, (f"HTTP {refused.status}", refused.code, refused.param)))
    key = "OPENAI_API_KEY" if provider == "openai" else f"the key of {provider}"
    match refused.status:
        case 401:
            todo = f"write a valid key into {key}"
        case 403:
            todo = f"allow the model for {key}, or set {setting} to another"
        case 429:
            todo = "no quota is left: add credit to the provider's account"
        case _ if refused.code == "model_not_found" or provider != "openai":
            todo = f"set {setting} to another model"
        case _ if settings.memory_api == "chat":
            todo = f"set KIOKU_MEMORY_API to responses, or {setting} to another model"
        case 404:
            todo = (
                f"set KIOKU_MEMORY_API to chat if the server has no /responses, or {setting} to"
                " another model"
            )
        case _:
            todo = (
                f"set {setting} to a model that takes function tools through /responses, or"
                " KIOKU_MEMORY_API to chat"
            )
    return f"{model} refuses requests ({why}), so no memories are formed: {todo}."
