"""Changes that a model's tool makes for a person, each with the earlier state for its Undo.

The earlier state is the value of the Undo button. It is stored only until the person has been shown
that button. A setting is restored only while it is as the tool left it. The texts of a message that
is not to be remembered are withheld first: nothing reads them, and no memory is formed of them.
Undo ends that; they are deleted by a click, or a day later by the upkeep.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.conversation.callbacks import ScheduleAllFormation, ShowToolChanges
from bot.conversation.off_record import delete_texts, end_withholding, withhold, withhold_scope
from bot.conversation.tool_done import store_ids, store_settings
from bot.locale import Language, say
from bot.slack.messages import Message
from bot.types import ConsentMode, PersonSettings, ToolChanges
from bot.users.incognito import add_span, take_back_span
from bot.users.profiles import Profiles
from bot.users.settings import add_pause, choose, read_settings, take_back_pause
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.settings import settings_changed_notice
from memory import Person, Pool, lock_for_forgetting, person_transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UndoableChanges:
    """Makes changes and takes them back; each is one transaction of the person.

    Each change is stored in the row of its turn until the person has been shown its Undo.
    """

    pool: Pool
    people: Profiles
    schedule_all_formation: ScheduleAllFormation
    show_later: ShowToolChanges
    _: KW_ONLY
    consent: ConsentMode

    async def pause(
        self, person: Person, until: datetime | None, turn: UUID, done: ToolChanges
    ) -> PersonSettings:
        """Pause memory until a moment, None: until it is resumed; never for less than before.

        The turn that asks for it is withheld.
        """
        async with person_transaction(self.pool, person) as connection:
            await lock_for_forgetting(connection, person)
            earlier = done.pause["added"] if done.pause else "{}"
            done.pause = await add_pause(connection, person, until, earlier=earlier)
            done.withheld = _joined(done.withheld, await withhold(connection, [turn]))
            await self._keep(connection, person, turn, done)
            settings = await read_settings(connection, person)
        self.people.invalidate(person)
        log.info("a person paused memory")
        return settings

    async def withhold(self, person: Person, turn: UUID, done: ToolChanges) -> None:
        """Withhold a turn: nothing reads its texts, and no memory is formed of them."""
        async with person_transaction(self.pool, person) as connection:
            await lock_for_forgetting(connection, person)
            done.withheld = _joined(done.withheld, await withhold(connection, [turn]))
            await self._keep(connection, person, turn, done)

    async def go_incognito(
        self, message: Message, scope: str, turn: UUID, done: ToolChanges
    ) -> None:
        """Switch incognito on from a message on; the turns since then are withheld."""
        person = message.person
        async with person_transaction(self.pool, person) as connection:
            await lock_for_forgetting(connection, person)
            earlier = done.incognito or {"added": "{}"}
            begins, added = await add_span(
                connection, person, scope, since=message.ts, earlier=earlier["added"]
            )
            # Before an earlier change of the same turn, where there was one.
            began = {"began": done.incognito["began"]} if done.incognito else {}
            done.incognito = {"scope": scope, **added, **began}
            turns = await withhold_scope(connection, person, scope, begins)
            turns += await withhold(connection, [turn])
            done.withheld = _joined(done.withheld, turns)
            await self._keep(connection, person, turn, done)
        log.info("a person switched incognito on")

    async def be_quiet(self, message: Message, turn: UUID, done: ToolChanges) -> None:
        """Answer in the message's thread only mentions of the app, until the next mention."""
        async with person_transaction(self.pool, message.person) as connection:
            begun = await connection.execute(
                "INSERT INTO quiet_threads (team_id, user_id, thread) VALUES (%s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (message.team_id, message.user_id, message.thread),
            )
            if begun.rowcount:
                done.quiet = message.thread
                await self._keep(connection, message.person, turn, done)

    async def choose(self, person: Person, turn: UUID, done: ToolChanges, **chosen: Any) -> None:
        """Store ``notices`` and ``language``, as far as they are given."""
        async with person_transaction(self.pool, person) as connection:
            before = await read_settings(connection, person)
            await choose(connection, person, replace(before, **chosen))
            if "notices" in chosen:
                first = done.notices[0] if done.notices else before.notices
                done.notices = _changed([first, chosen["notices"]])
            if "language" in chosen:
                earlier = done.language[0] if done.language else before.language
                done.language = _changed([earlier, chosen["language"]])
            await self._keep(connection, person, turn, done)
        self.people.invalidate(person)

    async def keep_ids(
        self,
        connection: AsyncConnection[DictRow],
        person: Person,
        turn: UUID,
        changes: Sequence[UUID],
        questions: Sequence[UUID],
    ) -> None:
        """Keep what a tool has changed of memories, and asked, until a notice shows it."""
        if changes or questions:
            await store_ids(connection, turn, changes, questions)
            await self.show_later(connection, person, turn)

    async def _keep(
        self, connection: AsyncConnection[DictRow], person: Person, turn: UUID, done: ToolChanges
    ) -> None:
        await store_settings(connection, turn, asdict(done))
        await self.show_later(connection, person, turn)

    async def shown(self, person: Person, language: Language, *, done: ToolChanges) -> Payload:
        """Return a message that says what was done, with the button that takes it back."""
        async with person_transaction(self.pool, person) as connection:
            settings = await read_settings(connection, person)
        return settings_changed_notice(language, settings, done)

    async def undone(self, person: Person, language: Language, value: str) -> Payload:
        """Restore the earlier state of all that is still as the tool left it. Idempotent."""
        done = ToolChanges.of(json.loads(value))
        parts: list[bool] = []
        async with person_transaction(self.pool, person) as connection:
            await lock_for_forgetting(connection, person)
            settings = await read_settings(connection, person)
            if done.pause:
                parts.append(await take_back_pause(connection, person, **done.pause))
            chosen: dict[str, Any] = {}
            if done.notices and settings.notices == done.notices[1]:
                chosen["notices"] = done.notices[0]
            if done.language and settings.language == done.language[1]:
                chosen["language"] = done.language[0]
            asked = [name for name in ("notices", "language") if getattr(done, name)]
            parts += [name in chosen for name in asked]
            if chosen:
                await choose(connection, person, replace(settings, **chosen))
            if done.incognito:
                parts.append(await take_back_span(connection, person, **done.incognito))
            if done.quiet:
                followed = await connection.execute(
                    "DELETE FROM quiet_threads WHERE team_id = %s AND user_id = %s AND thread = %s",
                    (person.team_id, person.user_id, done.quiet),
                )
                parts.append(followed.rowcount > 0)
            turns = [UUID(one) for one in done.withheld]
            ended = await end_withholding(connection, person, turns)
            parts += [number < ended for number in range(len(turns))]
            if (await read_settings(connection, person)).off_reason(self.consent) is None:
                await self.schedule_all_formation(connection, person)
        self.people.invalidate(person)
        log.info("a person undid what a tool had changed")
        left = "control_undone_partly" if any(parts) else "control_undone_already"
        return ephemeral_payload(say(language, "control_undone" if all(parts) else left))

    async def deleted(self, person: Person, language: Language, value: str) -> Payload:
        """Delete the texts of the turns that a button names, without an Undo."""
        given = json.loads(value)
        alone = isinstance(given, dict)
        turns = [UUID(str(one)) for one in (given["alone"] if alone else given)]
        async with person_transaction(self.pool, person) as connection:
            await lock_for_forgetting(connection, person)
            await delete_texts(connection, person, turns)
        done = ephemeral_payload(say(language, "withheld_deleted"))
        # What was clicked stays where it has the Undo of other changes.
        return done if alone else {**done, "replace_original": False}


def _changed(pair: list[Any]) -> list[Any] | None:
    return pair if pair[0] != pair[1] else None


def _joined(known: Sequence[str], new: Sequence[UUID]) -> list[str]:
    return list(dict.fromkeys([*known, *map(str, new)]))
