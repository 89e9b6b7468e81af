"""A person switches memory off and on, and chooses settings; each is one transaction."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from bot.acts.blocks import button
from bot.acts.buttons import on_button
from bot.acts.kinds import Switch
from bot.acts.lines import off_line, off_sentences, place_name
from bot.acts.receipt import Click, Receipt
from bot.app import App
from bot.locale import Localizer
from bot.people import Choices, Off, PersonSettings, read_settings
from memory import Person
from memory.model import Until, until
from memory.postgres import load_statements, person_transaction
from memory.store import begin_epoch

_SQL = load_statements("bot.off", "switches")

EVERYWHERE = ""
"""The scope of `turn_off` for all conversations; any other is a conversation."""
MORNING = 8


async def turn_off(
    app: App, person: Person, scope: str = EVERYWHERE, *, until: Until | None = None
) -> Off:
    """Switch memory off in a scope, until a time or `turn_on`.

    The scope is a conversation by its id, whatever its threads, or everywhere.

    Messages stored from now on are off the record, and so are those still to be answered, such as
    the message that asks for it. Words that are not formed yet are discarded. Waits for running
    memory writes.
    """
    values = {"scope": scope, "until": until}
    async with person_transaction(app.pool, person, locked=True) as transaction:
        await begin_epoch(transaction)
        await transaction.execute(_SQL["switch_off"], values)
        await transaction.execute(_SQL["take_off_record"], values)
        await transaction.execute(_SQL["discard_words"], values)
    return Off(until=until, scope=scope)


async def turn_on(app: App, person: Person, scope: str | None = None) -> None:
    """Switch memory on in one scope; None means everywhere, and ends all switches.

    By switching it on everywhere, the person agrees to memory. What was stored while it was off
    stays off the record.
    """
    async with person_transaction(app.pool, person) as transaction:
        await transaction.execute(_SQL["switch_on"], {"scope": scope})
        if scope is None:
            await transaction.execute(_SQL["note_agreed"])


async def switch(app: App, click: Click, act: Switch) -> Receipt:
    """Switch memory on or off, and say so with the button for the opposite."""
    localizer = click.localizer
    end: datetime | None = None
    match act.to:
        case "on":
            await turn_on(app, click.person, act.scope or None)
            async with person_transaction(app.pool, click.person) as transaction:
                settings = await read_settings(transaction)
            if still_off := settings.off(app.settings.consent):
                line = off_line(localizer, still_off)
                return Receipt(line=line, button=on_button(localizer))
            return on_done(localizer, act.scope)
        case "off" if act.minutes:
            end = datetime.now(UTC) + timedelta(minutes=act.minutes)
        case "tomorrow":
            tomorrow = localizer.today() + timedelta(days=1)
            end = datetime.combine(tomorrow, time(MORNING), localizer.zone)
    off = await turn_off(app, click.person, act.scope, until=until(end))
    return off_done(localizer, off)


async def change_settings(app: App, person: Person, chosen: Choices) -> PersonSettings:
    """Store what a person chose; return their settings with it."""
    async with person_transaction(app.pool, person) as transaction:
        await transaction.execute(_SQL["choose"], chosen)
        return await read_settings(transaction)


def off_done(localizer: Localizer, off: Off) -> Receipt:
    """Return that memory was switched off, with the button that switches it on."""
    line = off_sentences(localizer, off)
    return Receipt(line=line, button=on_button(localizer, off.scope))


def on_done(localizer: Localizer, scope: str) -> Receipt:
    """Return that memory was switched on; everywhere, with the button that switches it off."""
    means = localizer.say("on_means")
    if scope:
        here = localizer.say("switched_on_here", where=place_name(localizer, scope))
        return Receipt(line=f"{here}\n{means}")
    off = button(localizer.say("off_button"), Switch(to="off"))
    return Receipt(line=f"{localizer.say('panel_on')}\n{means}", button=off)
