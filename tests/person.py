"""A person in Slack's interface: what they write, type, click, submit and see, in a playground."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.integration.playground_slack import PlaygroundSlack
from tests.waiting import wait_until

Place: TypeAlias = dict[str, Any]
"""A message or a view, as the person sees it."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message somebody wrote."""

    person: Person
    channel: str
    ts: str
    thread_ts: str
    text: str


class Person:
    """A new person in the workspace; what has an effect returns when Slack shows it.

    `answered` waits for the answer to a message and returns it: from a process by HTTP in tests of
    processes, else see `tests.integration.person`.
    """

    def __init__(
        self,
        slack: PlaygroundSlack,
        answered: Callable[[Said], Any] | None = None,
        **profile: Any,
    ) -> None:
        self.slack = slack
        self._answered = answered
        self.id, self.team = slack.person(**profile)

    # --- what is seen

    def seen(self, channel: str = "dm") -> list[Place]:
        """Return a conversation as the person sees it."""
        return self.slack.seen(self.id, channel)

    def form(self) -> Place | None:
        """Return the form on top, if there is one."""
        views = self.views()
        return views[-1] if views else None

    def form_opens(self) -> Place:
        """Wait until a form is open, on top of the panel or alone."""

        def opened() -> Place | None:
            view = self.form()
            is_panel = view is not None and view["private_metadata"].startswith(
                '{"act":"show"'
            )
            return None if is_panel else view

        return wait_until(opened, "a form")

    def form_says(self, text: str) -> Place:
        """Wait until the modal on top says a text."""

        def found() -> Place | None:
            view = self.form()
            return view if view and text in shown(view) else None

        return wait_until(found, f"a form that says {text}")

    def home(self) -> Place:
        """Return the Home as its person sees it."""
        view = self.slack.control(f"home?user={self.id}")["view"]
        return dict(view) if view else {}

    # --- what is done

    def say(
        self, text: str, *, channel: str = "dm", under: Said | None = None, **parts: Any
    ) -> Said:
        """Write a message, in the thread of `under` if given; ``<@BOT>`` is the app."""
        place = {"channel": channel}
        if under is not None:
            place = {"channel": under.channel, "thread_ts": under.thread_ts}
        made = self.slack.control(
            "messages", {"user": self.id, "text": text, **place, **parts}
        )
        return Said(
            self, made["channel"], made["ts"], place.get("thread_ts", made["ts"]), text
        )

    def ask(self, text: str, **where: Any) -> Any:
        """Write a message, and return its whole answer."""
        assert self._answered is not None
        return self._answered(self.say(text, **where))

    def type(self, text: str, channel: str = "dm") -> None:
        """Type a command; do not wait for an answer."""
        name, _, words = text.partition(" ")
        body = {"user": self.id, "channel": channel, "command": name, "text": words}
        self.slack.control("commands", body)

    def command(self, text: str, channel: str = "dm") -> Place:
        """Type a command; return the answer, which this person alone sees."""
        before = {message["ts"] for message in self.seen(channel)}
        self.type(text, channel)

        def answer() -> Place | None:
            new = [m for m in self.seen(channel) if m["ts"] not in before]
            own = [m for m in new if m.get("is_ephemeral")]
            return {**own[-1], "channel": channel} if own else None

        return wait_until(answer, f"an answer to {name_of(text)}")

    def panel(self, typed: str = "/memories") -> Place:
        """Type a command that opens the panel; return it once it is filled."""
        before = {view["id"] for view in self.views()}
        self.type(typed)
        return self.panel_opens(before)

    def panel_opens(self, before: Collection[str] = ()) -> Place:
        """Wait until a modal that was not there `before` shows more than that it loads."""

        def opened() -> Place | None:
            view = self.form()
            is_new = view is not None and view["id"] not in before
            return view if view and is_new and len(view["blocks"]) > 1 else None

        return wait_until(opened, "the panel")

    def views(self) -> list[Place]:
        """Return the modals that are open, the one on top last."""
        return list(self.slack.control(f"views?user={self.id}")["views"])

    def press(self, place: Place, act: str, *, by: str = "", **fields: object) -> None:
        """Click the element of a message or view whose value is an act with these fields.

        `by`: the id of somebody else who clicks.
        """
        element = find(place, act, **fields)
        self._send(place, element, user=by or self.id, value=element["chosen"])

    def click(self, place: Place, act: str, **fields: Any) -> Place:
        """Click; return the place as it is then."""
        self.press(place, act, **fields)
        return self.changed(place)

    def _send(self, place: Place, element: Place, **more: Any) -> None:
        where = {"channel": place.get("channel", "dm"), "ts": place.get("ts")}
        if "hash" in place:
            where = {"view_id": place["id"]}
        ids = {"action_id": element["action_id"], "block_id": element["block_id"]}
        done = self.slack.control("actions", {**where, **ids, **more})
        assert done["ok"], done

    def changed(self, place: Place) -> Place:
        """Wait until a message or a view is no more what it was; return it."""

        def now() -> Place | None:
            if "hash" in place:
                views = [self.home(), *self.views()]
                view = next(
                    (one for one in views if one.get("id") == place["id"]), place
                )
                return view if view["hash"] != place["hash"] else None
            channel = place.get("channel", "dm")
            found = next(
                (m for m in self.seen(channel) if m["ts"] == place["ts"]), None
            )
            if found is None or {**place, "channel": None} == {
                **found,
                "channel": None,
            }:
                return None
            return {**found, "channel": channel}

        return wait_until(now, "a change")

    def search(self, place: Place, words: str) -> Place:
        """Enter words in the search of a panel."""
        [element] = [one for one in elements(place) if one["action_id"] == "search"]
        values = {element["block_id"]: {"search": words}}
        self._send(place, element, user=self.id, value=words, values=values)
        return self.changed(place)

    def submit(self, view: Place, **values: Any) -> Any:
        """Submit a form with these values, by block."""
        body = {"view_id": view["id"], "user": self.id, "values": values}
        return self.slack.control("views/submit", body)

    def listed_memories(self) -> str:
        """Return the lines of all pages that `/memories` shows."""
        page = self.panel()
        lines = sections(page)
        number = 1
        while acts_in(page, "show", page=number + 1):
            number += 1
            page = self.click(page, "show", page=number)
            lines += sections(page)
        return "\n".join(lines)


def name_of(command: str) -> str:
    """Return a command without its words, which are the person's."""
    return command.partition(" ")[0]


def shown(place: Place) -> str:
    """Return all that a message or view says, as one text."""
    return json.dumps(place.get("blocks") or place.get("text"), ensure_ascii=False)


def sections(place: Place) -> list[str]:
    """Return the texts of a place's sections."""
    return [
        one["text"]["text"]
        for one in place.get("blocks", [])
        if one["type"] == "section"
    ]


def elements(place: Place) -> list[dict[str, Any]]:
    """Return what can be clicked in a place, each with the id of its block."""
    return [
        {**element, "block_id": block.get("block_id", "")}
        for block in place.get("blocks", [])
        for element in [
            block.get("accessory"),
            block.get("element"),
            *block.get("elements", []),
        ]
        if element and "action_id" in element
    ]


def find(place: Place, act: str, **fields: object) -> dict[str, Any]:
    """Return the first element with an act that has these fields, and its value as ``chosen``."""
    found = acts_in(place, act, **fields)
    if not found:
        raise AssertionError(f"no {act} with {fields} in {shown(place)[:600]}")
    return found[0]


def acts_in(place: Place, act: str, **fields: object) -> list[dict[str, Any]]:
    """Return the elements with an act that has these fields, each with its value as ``chosen``."""
    found: list[dict[str, Any]] = []
    for element in elements(place):
        values = [
            element.get("value"),
            *(one["value"] for one in element.get("options", [])),
        ]
        chosen = [value for value in values if _is_act(value, act, fields)]
        found += [{**element, "chosen": value} for value in chosen]
    return found


def _is_act(value: str | None, act: str, fields: dict[str, object]) -> bool:
    if not value or not value.startswith("{"):
        return False
    content = json.loads(value)
    has_fields = all(content.get(name) in (one, [one]) for name, one in fields.items())
    return bool(content["act"] == act and has_fields)
