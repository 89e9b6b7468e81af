"""Responses to commands, clicks and submissions, which only the person sees."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeAlias

from psycopg import OperationalError
from slack_bolt.async_app import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.locale import Language, say
from bot.logs import fault
from bot.memories.home import HomePublisher
from bot.slack.client import SLACK_FAULTS, error_code, retry_on_rate_limit
from bot.slack.ephemeral import show_in_thread
from bot.slack.messages import installation_team, user_key
from bot.slack.payloads import UNREADABLE
from bot.users.profiles import Profiles
from bot.users.quotas import QuotaExceeded
from bot.views.blocks import Block, Payload, ephemeral_payload
from bot.views.home_list import ListPosition, position_of
from bot.views.modal_triggers import in_home
from bot.views.views import SlackView, blocks_up_to_click, sentence_view
from memory import OutcomeUnknown, Person, transaction_timeout, writes_noted

log = logging.getLogger(__name__)

PayloadHandler: TypeAlias = Callable[[Person, Language], Awaitable[Payload | None]]
ViewHandler: TypeAlias = Callable[[Person, Language], Awaitable[SlackView | None]]

_DATABASE_SECONDS = 2.0
_AGAIN_SECONDS = 1.0


def person_of(body: Mapping[str, Any]) -> Person:
    """Return who typed a command or clicked, from Slack's own ids.

    Raises `memory.InvalidNamespace` where one is missing.
    """
    team, user = installation_team(body), body.get("user") or {}
    enterprise = (body.get("enterprise") or {}).get("id")
    key = user_key(body.get("user_id") or user.get("id"), user.get("team_id"), team, enterprise)
    return Person(team, key)


def _sentence(language: Language, error: Exception, written: Sequence[str]) -> str:
    """Return the sentence that reports a failure to the person.

    After a committed write, `written`, it does not say that nothing was changed.
    """
    if isinstance(error, QuotaExceeded):
        return error.refusal(language)
    if not isinstance(error, OperationalError):
        return say(language, "command_broke")
    uncertain = written or isinstance(error, OutcomeUnknown)
    return say(language, "command_uncertain" if uncertain else "command_failed")


def _log_failure(what: str, error: Exception) -> None:
    """Log an exception: as a warning if it is expected, otherwise as an error.

    Expected are a database that is unavailable or busy, and values that cannot be read: those of
    buttons and forms may be of another version of the app, or changed. So is a used up quota.
    """
    expected = isinstance(error, (OperationalError, OutcomeUnknown, QuotaExceeded, *UNREADABLE))
    log.log(logging.WARNING if expected else logging.ERROR, what, exc_info=error)


async def _send(respond: AsyncRespond, payload: Payload) -> None:
    """Send a payload to a response URL: the SDK raises no error for what Slack refuses.

    After a 5xx or 429 it is sent a second time. What Slack refuses with 400, such as blocks that
    are too long, is sent as text alone.
    """
    response = await respond(**payload)
    if response.status_code == HTTPStatus.BAD_REQUEST and payload.get("blocks"):
        log.warning("Slack refused the blocks of an answer, so its text is shown")
        payload = {name: value for name, value in payload.items() if name != "blocks"}
        response = await respond(**payload)
    elif response.status_code == HTTPStatus.TOO_MANY_REQUESTS or response.status_code >= 500:
        await asyncio.sleep(_AGAIN_SECONDS)
        response = await respond(**payload)
    if response.status_code != HTTPStatus.OK:
        log.warning("an answer was not shown: Slack answered %d", response.status_code)


class Responder:
    """Responds to requests that were acknowledged at once, as soon as the result is ready."""

    def __init__(self, profiles: Profiles, home_publisher: HomePublisher) -> None:
        self._profiles = profiles
        self._home_publisher = home_publisher
        self._running = 0
        self._idle = asyncio.Event()

    async def respond(
        self,
        body: Mapping[str, Any],
        respond: AsyncRespond,
        work: PayloadHandler,
        *,
        replace: bool = False,
        client: AsyncWebClient | None = None,
    ) -> None:
        """Send what `work` returns to the person alone; `replace` the message that was clicked.

        With None nothing is sent. A payload with ``replace_original`` says for itself whether it
        takes the place of what was clicked; a failure never does. A click in App Home is answered
        there, where the click was. With ``stays`` the message stays. With a `client`, what
        takes no place is shown in the thread of the click.
        """
        with self._counted():
            person = person_of(body)
            language = await self._profiles.language(person)
            try:
                with transaction_timeout(_DATABASE_SECONDS), writes_noted() as written:
                    payload = await work(person, language)
            except Exception as error:  # noqa: BLE001 - logged, and the person is told
                _log_failure("a command or click was not carried out", error)
                payload = ephemeral_payload(_sentence(language, error, written))
                replace = False
            stays = bool(payload and payload.pop("stays", False))
            if in_home(body):
                banner = payload["blocks"] if payload else ()
                await self.show_home(body, position_of(body["view"]), banner, written)
                return
            await self._publish_home(person, written)
            if payload is None:
                return
            replace = bool(payload.pop("replace_original", replace)) and not stays
            if replace:
                # In a direct message the clicked message may be an ordinary one: it keeps its kind.
                payload.pop("response_type", None)
            elif client is not None and await show_in_thread(client, body, payload):
                return
            if respond.response_url is None:
                log.warning("an answer was not shown: the click was in a view")
                return
            try:
                await _send(respond, {**payload, "replace_original": replace})
            except SLACK_FAULTS as error:
                log.warning("an answer was not shown: %s", fault(error))

    async def view(self, body: Mapping[str, Any], work: ViewHandler) -> SlackView | None:
        """Return what `work` returns for a modal, or what is said of its failure."""
        with self._counted():
            person = person_of(body)
            language = await self._profiles.language(person)
            try:
                with transaction_timeout(_DATABASE_SECONDS), writes_noted() as written:
                    view = await work(person, language)
            except Exception as error:  # noqa: BLE001 - logged, and the person is told
                _log_failure("what a modal asked for was not carried out", error)
                sentence = _sentence(language, error, written)
                view = sentence_view(language, "memory_title", sentence)
            await self._publish_home(person, written)
            return view

    async def update(self, client: AsyncWebClient, view_id: str, view: SlackView | None) -> None:
        """Show `view` in an open modal; with None the modal stays as it is."""
        if view is None:
            return
        try:
            await retry_on_rate_limit(lambda: client.views_update(view_id=view_id, view=view))
        except SLACK_FAULTS as error:
            # Closed meanwhile: there is nobody to show it to.
            if error_code(error) != "not_found":
                log.warning("a modal was not updated: %s", error_code(error) or fault(error))

    async def _publish_home(self, person: Person, written: Sequence[str]) -> None:
        """Let App Home be published again if something was stored, and they have ever opened it."""
        if not written:
            return
        try:
            await self._home_publisher.publish_again(person)
        except OperationalError as error:
            log.warning("a Home is not published: %s", fault(error))

    async def show_home(
        self,
        body: Mapping[str, Any],
        position: ListPosition,
        banner: Sequence[Block] = (),
        written: Sequence[str] = (),
    ) -> None:
        """Show a person another part of their Home, with `banner` where the click was.

        After a committed write, `written`, a failure does not say that nothing was changed.
        """
        with self._counted():
            person = person_of(body)
            below = blocks_up_to_click(body)
            try:
                with transaction_timeout(_DATABASE_SECONDS):
                    await self._home_publisher.show(person, position, banner, below)
            except Exception as error:  # noqa: BLE001 - logged, and the person is told
                _log_failure("a Home could not be shown", error)
                language = await self._profiles.language(person)
                failure = ephemeral_payload(_sentence(language, error, written))
                # What the click has done is said above a page that does not show it yet.
                shown = {"blocks": list(banner)} if banner else failure
                try:
                    await self._home_publisher.show_banner(person, body["view"], shown, below)
                except SLACK_FAULTS as fault_of_slack:
                    log.warning("a Home could not be updated: %s", fault(fault_of_slack))

    async def wait_until_idle(self, seconds: float) -> None:
        """Wait, so long at most, until each acknowledged request has its response."""
        self._idle.clear()
        if self._running:
            try:
                await asyncio.wait_for(self._idle.wait(), seconds)
            except TimeoutError:
                log.warning("%d command(s) or click(s) were not answered", self._running)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
