"""One function for each thing that can be wrong: it returns what works, or raises `Problem`.

`kioku run` and `up` end with the first problem, `doctor` prints all of them, and `setup` calls the
check of each value that is typed.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TypeAlias
from urllib.parse import urlencode

import aiohttp
import openai

from bot import VERSION
from bot.config import Settings
from bot.logs import fault
from bot.network import in_url
from bot.runtime.database_addresses import NoDatabase, database
from bot.runtime.http import WARNING
from bot.runtime.manifest import manifest_scopes
from bot.runtime.model_checks import check_model, model_refused
from bot.runtime.problems import (
    APP_TOKEN,
    BOT_TOKEN,
    NO_EVENTS,
    UNBOUND_LOGIN,
    Problem,
    explained,
    way_to,
    without_secrets,
)
from bot.runtime.prometheus import read_operating_state
from bot.runtime.settings_check import check_settings
from bot.runtime.slack_calls import call_slack
from bot.runtime.wiring import create_chat_model, open_model_clients, open_pool
from bot.slack.client import clock_problem
from memory import (
    Embedder,
    EmbeddingsUnavailable,
    FormationUnavailable,
    MemoryModelRefused,
    embedding_space,
)
from memory.formation import calls_memory_tools
from memory.model import WordsUnreadable, model_error, speaks_openai
from memory.postgres import check_access

Check: TypeAlias = Callable[[Settings], Coroutine[None, None, str]]

_NOT_IMPLEMENTED = 501
_NO_EMBEDDINGS = (
    "{} is refused (HTTP 501): start a server that makes embeddings (llama.cpp's: `--embeddings`),"
    " and name it in KIOKU_EMBEDDING_BASE_URL."
)
_QUOTING = (
    " PostgreSQL's log may quote people, by {}: as a superuser, `ALTER DATABASE … SET"
    " log_min_messages = log` and `… SET log_min_error_statement = panic`, and log no statements."
)
_READY_SECONDS = 5.0
_LONG_SECONDS = 120.0
_ASK_SECONDS = 20.0
_LONG_TEXT = "One word after another. " * 120  # 600 tokens; llama.cpp takes 512 at once


async def check_bot_token(settings: Settings) -> str:
    """Ask Slack whose token it is; compare its scopes with the manifest's."""
    if settings.slack_bot_token is None and settings.slack_app_token is None:
        return "None is set: `kioku up` opens the playground; `kioku setup` connects a workspace."
    answer = await call_slack(settings, BOT_TOKEN, "auth.test")
    if wrong := clock_problem(answer):
        raise Problem(wrong)
    link = urlencode({"app": answer.get("app_id"), "team": answer.get("team_id")})
    found = (
        f"Connected to {answer.get('team')} as @{answer.get('user')}:"
        f" https://slack.com/app_redirect?{link}"
    )
    granted = answer.headers.get("x-oauth-scopes", "").replace(",", " ").split()
    if not granted:
        return found
    needed, optional = manifest_scopes()
    missing = needed.difference(granted)
    if missing:
        raise Problem(
            f"The app lacks {', '.join(sorted(missing))}: put manifest.yml into your app's App"
            " Manifest, then install the app again (Install App)."
        )
    declined = optional.difference(granted)
    if declined:
        found += f" Without {', '.join(sorted(declined))} no files can be sent or read."
    return found


async def check_events(settings: Settings) -> str:
    """Check how events come in: the app token opens Socket Mode, or there is a signing secret.

    If a process runs here, its warnings are problems, too.
    """
    found = (
        "Events come by HTTP, signed. In your app turn Socket Mode off and give"
        " https://YOUR-HOST/slack/events as Request URL of Event Subscriptions, Interactivity and"
        " the slash commands."
    )
    if settings.slack_app_token is not None:
        await call_slack(settings, APP_TOKEN, "apps.connections.open")
        found = "Slack can send events here, by Socket Mode."
    elif settings.slack_signing_secret is None:
        if settings.slack_bot_token is None:
            return "Events come from the playground."
        raise Problem(NO_EVENTS)
    url = f"http://{in_url(settings.listens_on)}:{settings.port}/readyz"
    timeout = aiohttp.ClientTimeout(total=_READY_SECONDS)
    try:
        async with aiohttp.request("GET", url, timeout=timeout) as answer:
            text = await answer.text()
    except (aiohttp.ClientError, OSError, UnicodeDecodeError):
        return found  # none runs here, so only the settings are checked
    warnings = [line for line in text.splitlines() if line.startswith(WARNING)]
    if warnings:
        raise Problem(" ".join(line.removeprefix(WARNING) for line in warnings))
    return found


async def check_database(settings: Settings) -> str:
    """Check that the database is set up, fits the model and the login, and is being served."""
    try:
        async with database(settings, beside=True) as addresses:
            bound = await check_access(addresses.login)
            space = None
            # Without a model `kioku up` makes the stand-in's vectors.
            if settings.has_embeddings:
                async with open_model_clients(
                    settings, seconds=_ASK_SECONDS
                ) as clients:
                    space = await embedding_space(
                        clients.embeddings, settings.embedding_model
                    )
            async with open_pool(addresses.login, space) as pool:
                state = await read_operating_state(pool)
    except NoDatabase:
        return f"The first `kioku up` makes one in {settings.data_dir.resolve()}."
    if not bound:
        raise Problem(UNBOUND_LOGIN)
    oldest = state["oldest_message_seconds"]
    if oldest > _LONG_SECONDS:
        raise Problem(
            f"{state['messages_waiting']} message(s) wait, the oldest for {oldest / 60:.0f} minutes"
            ": start `kioku run`, or look into its log for what keeps it from answering."
        )
    found = (
        "PostgreSQL {server}, up to date. Kioku {version} in {processes} process(es); messages:"
        " {messages_waiting} waiting; jobs: {jobs_due} due, {jobs_later} later,"
        " {jobs_failed} failed in the last two weeks."
    ).format(version=VERSION, **state)
    if state["quoting"] is not None:
        found += _QUOTING.format(state["quoting"])
    return found


async def check_embeddings(settings: Settings) -> str:
    """Let the embedding model embed a text that exceeds the batch size of small servers."""
    if not settings.has_model:
        return "No model makes embeddings: `kioku up` searches with the stand-in."
    if not settings.has_embeddings:
        return "No model makes embeddings: of people with many memories, answers use the newest."
    model = settings.embedding_model
    server = settings.embedding_server
    address = without_secrets(server.base_url)
    try:
        async with open_model_clients(settings, seconds=_ASK_SECONDS) as clients:
            space = await embedding_space(clients.embeddings, model)
            await Embedder(clients.embeddings, space).embed([_LONG_TEXT])
    except EmbeddingsUnavailable as failed:
        error = failed.__cause__
        if isinstance(error, openai.APIStatusError):
            what = f"{address}: {model}"
            if error.status_code == _NOT_IMPLEMENTED:
                raise Problem(_NO_EMBEDDINGS.format(what)) from None
            name = "KIOKU_EMBEDDING_MODEL"
            raise model_refused(
                what, model_error(error), name, key=server.key_setting
            ) from None
        raise Problem(
            f"No vectors from {address}: check {way_to(address)}, and {server.address_setting}."
        ) from error
    return f"{model} at {address} makes vectors of {space.dimensions} numbers, of long texts too."


async def check_remembering(settings: Settings) -> str:
    """Let the memory model call a tool for an invented sentence; nothing is stored."""
    model = settings.memory_model
    setting = "KIOKU_MEMORY_MODEL"
    server = settings.memory_server
    if not settings.has_model or settings.formation == "off":
        return "No model forms memories."
    try:
        async with open_model_clients(settings) as clients:
            chat_model = create_chat_model(settings, clients.memories)
            writes = await calls_memory_tools(chat_model)
    except MemoryModelRefused as refused:
        if refused.error is None:
            raise Problem(
                f"{model} calls no tools, so the words of people wait: set {setting} to another."
            ) from None
        raise model_refused(
            model, refused.error, setting, key=server.key_setting
        ) from None
    except WordsUnreadable as unreadable:
        raise Problem(
            f"{model} cannot read an example ({unreadable}): set {setting} to another."
        ) from None
    except FormationUnavailable as away:
        if not speaks_openai(model):
            told = str(away).rstrip(".")
            raise Problem(f"{model}: {told}; try again later.") from None
        address = without_secrets(server.base_url)
        raise Problem(
            f"{model} at {address} forms no memory: check {way_to(address)}, and"
            f" {server.address_setting}, or try again later. {away}"
        ) from None
    if not writes:
        raise Problem(
            f"{model} writes no memory of an example: set {setting} to another."
        )
    return f"{model} calls tools."


CHECKS: Mapping[str, Check] = {
    "Settings": check_settings,
    "Bot token": check_bot_token,
    "Events": check_events,
    "Database": check_database,
    "Model": check_model,
    "Embeddings": check_embeddings,
    "Remembering": check_remembering,
}
"""Each check by its name, in the order in which an operator sets things up."""


async def doctor(settings: Settings) -> int:
    """Print what each check found; return 1 if one found a problem, else 0."""
    problems = False
    for name, check in CHECKS.items():
        try:
            found = f"✓ {name}: {await check(settings)}"
        except Exception as error:  # noqa: BLE001 - the next check is made all the same
            problems = True
            sentence = explained(error) or f"it cannot be looked at ({fault(error)})."
            found = f"✗ {name}: {sentence}"
        print(found)
    if problems:
        print("\nBegin with the first ✗.")
        return 1
    print("\nNothing is wrong.")
    return 0
