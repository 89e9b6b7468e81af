"""Whether the memory model forms memories: one real tool call and one real verdict."""

from __future__ import annotations

from bot.config import Settings
from bot.runtime.finding import Finding, fix, ok
from bot.runtime.memory_models import create_chat_model
from memory import (
    FormationUnavailable,
    MemoryModelRefused,
    calls_memory_tools,
    gives_verdicts,
    provider_and_name,
)

PART = "Remembering"


async def examine_remembering(settings: Settings) -> Finding:
    """Form one memory and ask for one verdict, of an invented sentence; nothing is stored."""
    model, setting = settings.memory_model, "KIOKU_MEMORY_MODEL"
    verdicts = settings.verdict_model
    try:
        if not await calls_memory_tools(create_chat_model(settings, model)):
            return fix(
                PART,
                f"{model} answers without a usable tool call, so it forms no memories: set"
                f" {setting} to a model that calls tools.",
            )
        if verdicts is None:
            return ok(PART, f"{model} called a memory tool.")
        model = verdicts
        if settings.verify_model:
            setting = "KIOKU_VERIFY_MODEL"
        if not await gives_verdicts(create_chat_model(settings, model)):
            return fix(
                PART,
                f"{model} gives no verdict that can be read, so nothing it is asked about is"
                f" stored: set {setting} to a model that calls tools.",
            )
    except MemoryModelRefused as refused:
        return fix(PART, _what_to_do(settings, model, setting, refused))
    except FormationUnavailable as away:
        return fix(PART, f"{model}: {str(away).rstrip('.')}; try again later.")
    except Exception as error:  # noqa: BLE001 - what a provider's package raises is its own
        return fix(
            PART,
            f"{model} cannot be asked ({type(error).__name__}): check the package of its provider"
            f" and its key in the environment, or set {setting} to another.",
        )
    return ok(PART, f"{settings.memory_model} called a memory tool, and {model} gave a verdict.")


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
