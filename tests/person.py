"""A person in Slack's interface: what they write, type, click, submit and see, in a playground."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.playground import Playground
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

    @property
    def own(self) -> dict[str, str]:
        """It and its author, as control calls name them."""
        return {"user": self.person.id, "channel": self.channel, "ts": self.ts}

    def below(self) -> list[Place]:
        """Return the app's messages after it in its thread, as its author sees them."""
        return [
            one
            for one in self.person.app_messages(self.channel)
            if one.get("thread_ts") == self.thread_ts and one["ts"] > self.ts
        ]

    def answers(self) -> list[str]:
        """Return the finished messages for everybody that take nothing back."""
        done = [
            one
            for one in self.below()
            if not one.get("is_ephemeral") and not one.get("streaming")
        ]
        return [says(one) for one in done if not offers(one, "Undo", "元に戻す")]

    def answer(self) -> str:
        """Wait for the answer; return it."""
        return "\n".join(wait_until(self.answers, f"an answer to {self.text!r}"))

    def notice(self, words: str) -> Place:
        """Wait for the line that says what was remembered, with these words."""

        def found() -> list[Place]:
            lines = [one for one in self.below() if offers(one, "Undo", "元に戻す")]
            return [one for one in lines if words in says(one)]

        return wait_until(found, f"a notice of {words}")[0]


class Person:
    """Somebody in the workspace, new unless an `id` is given.

    What has an effect returns when Slack shows it, or as soon as Slack has taken it.

    `answered` waits for the answer to a message and returns it: from a process by HTTP in tests of
    processes, else see `tests.integration.person`.
    """

    def __init__(
        self,
        slack: Playground,
        answered: Callable[[Said], Any] | None = None,
        id: str = "",  # noqa: A002
        **profile: Any,
    ) -> None:
        self.slack = slack
        self._answered = answered
        self.id, self.team = id, ""
        if not id:
            self.id, self.team = slack.person(**profile)
        self.name = str(profile.get("name", ""))

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
        self.act("commands", channel=channel, command=name, text=words)

    def use(self, shortcut: str, channel: str, ts: str) -> None:
        """Use a shortcut in the menu of a message, by its callback id."""
        self.act("shortcuts", callback_id=shortcut, channel=channel, ts=ts)

    def act(self, path: str, **what: Any) -> Any:
        """Do something that the app is told of at once; Slack takes it."""
        done = self.slack.control(path, {"user": self.id, **what})
        assert done["ok"], done
        return done

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
        self.send(place, element, user=by or self.id, value=element["chosen"])

    def click(self, place: Place, act: str, **fields: Any) -> Place:
        """Click; return the place as it is then."""
        self.press(place, act, **fields)
        return self.changed(place)

    def send(self, place: Place, element: Place, **more: Any) -> None:
        """Click an element of a message or view."""
        where = {"channel": place.get("channel", "dm"), "ts": place.get("ts")}
        if "hash" in place:
            where = {"view_id": place["id"]}
        ids = {"action_id": element["action_id"], "block_id": element["block_id"]}
        self.act("actions", **where, **ids, **more)

    def choose(self, place: Place, label: str, near: str = "") -> None:
        """Click what says `label` in a block with the words `near`, or just below it."""
        clicked = find_label(place, label, near)
        self.send(place, clicked, value=clicked["chosen"])

    def now(self, place: Place) -> Place | None:
        """Return a message or a view as it is by now, if it is still there."""
        if "hash" in place:
            views = [self.home(), *self.views()]
            return next((one for one in views if one.get("id") == place["id"]), None)
        channel = place.get("channel", "dm")
        for one in self.seen(channel):
            if one["ts"] == place["ts"]:
                return {**one, "channel": channel}
        return None

    def changed(self, place: Place) -> Place:
        """Wait until a message or a view is no more what it was; return it."""
        before = {**place, "channel": place.get("channel", "dm")}

        def other() -> Place | None:
            now = self.now(place)
            if now is None:
                return None
            if "hash" in place:
                return now if now["hash"] != place["hash"] else None
            return now if now != before else None

        return wait_until(other, "a change")

    def search(self, place: Place, words: str) -> Place:
        """Enter words in the search of a panel."""
        [element] = [one for one in elements(place) if one["action_id"] == "search"]
        values = {element["block_id"]: {"search": words}}
        self.send(place, element, value=words, values=values)
        return self.changed(place)

    def submit(self, view: Place, **values: Any) -> Any:
        """Submit a form with these values, by block."""
        return self.act("views/submit", view_id=view["id"], values=values)

    def app_messages(self, channel: str = "dm") -> list[Place]:
        """Return the app's messages in a conversation, each with its `channel`."""
        return [
            {**one, "channel": channel}
            for one in self.seen(channel)
            if one["user"] == self.slack.bot_user_id
        ]

    def all_shown(self, channel: str = "dm") -> list[Place]:
        """Return the app's messages in a conversation, and the open modals."""
        return [*self.app_messages(channel), *filter(is_filled, self.views())]

    def command_shows(self, text: str, channel: str = "dm") -> Place:
        """Type a command; return what comes for this person: a message or a modal."""
        before = {identity(one) for one in self.all_shown(channel)}
        self.type(text, channel)

        def new() -> Place | None:
            found = [
                one
                for one in self.all_shown(channel)
                if identity(one) not in before
                # An answer that comes meanwhile is in a thread, and for everybody.
                and (one.get("is_ephemeral") or not one.get("thread_ts"))
            ]
            return found[-1] if found else None

        return wait_until(new, f"an answer to {name_of(text)}")

    def open_home(self) -> Place:
        """Open the Home tab; return it."""
        self.slack.control("home/open", {"user": self.id, "tab": "home"})
        return wait_until(self.home, "a Home tab")

    def fill(self, text: str, old: str = "") -> None:
        """Write a text in place of `old`, or all, of the form's first such field; submit it."""

        def field() -> tuple[Place, Place] | None:
            form = self.form() or {}
            for one in elements(form):
                is_text = one["type"] == "plain_text_input"
                if (
                    is_text
                    and one["action_id"] != "search"
                    and old in one.get("initial_value", "")
                ):
                    return form, one
            return None

        form, first = wait_until(field, "a form with a field for it")
        value = first["initial_value"].replace(old, text) if old else text
        self._submitted(form, {first["block_id"]: value})

    def fill_option(self, label: str) -> None:
        """Choose an option in the form, and submit it."""
        form = self.form_that_offers(label)
        chosen = find_label(form, label)
        self._submitted(form, {chosen["block_id"]: chosen["chosen"]})

    def form_that_offers(self, label: str) -> Place:
        """Wait for a modal on top that has a button or an option; return it."""

        def opened() -> Place | None:
            view = self.form()
            return view if view and labelled(view, label) else None

        return wait_until(opened, f"a modal with {label!r}")

    def _submitted(self, form: Place, values: dict[str, Any]) -> None:
        done = self.submit(form, **values)
        assert "errors" not in (done["ack"] or {}), done

    def export(self) -> list[Place]:
        """Export everything; return the files that come in the direct messages."""

        def files() -> list[Place]:
            return [file for one in self.seen() for file in one.get("files", [])]

        before = [one["id"] for one in files()]
        self.choose(self.command_shows("/memories"), "Settings")

        self.choose(self.form_that_offers("Export Memories"), "Export Memories")

        def new() -> list[Place]:
            return [one for one in files() if one["id"] not in before]

        wait_until(lambda: len(new()) > 1, "a JSON and a Markdown file")
        return new()

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


def parts(value: Any) -> Iterator[Place]:
    """Yield every object in blocks, from top to bottom."""
    if isinstance(value, dict):
        yield value
        value = [*value.values()]
    if isinstance(value, list):
        for one in value:
            yield from parts(one)


def says(place: Place) -> str:
    """Return all texts of a place, those of its buttons and menus too."""
    texts = [one.get("text") for one in parts(place.get("blocks"))]
    found = "\n".join(text for text in texts if isinstance(text, str))
    return found or str(place.get("text", ""))


def choices(element: Place) -> dict[str, Any]:
    """Return what a button or menu says, each with the value that a click on it carries."""
    found = [one for one in parts(element) if isinstance(one.get("text"), dict)]
    return {one["text"]["text"]: one.get("value") for one in found}


def labelled(place: Place, label: str, near: str = "") -> Place | None:
    """Return the first element that says `label` near these words, its value as ``chosen``."""
    above = ""
    for block in place.get("blocks", []):
        if block["type"] != "actions":
            above = says({"blocks": [block]})
        for element in elements({"blocks": [block]}):
            if near in above and label in choices(element):
                return {**element, "chosen": choices(element)[label]}
    return None


def find_label(place: Place, label: str, near: str = "") -> Place:
    """Return the first element that says `label` near these words; there is one."""
    found = labelled(place, label, near)
    assert found, f"no {label!r} near {near!r} in {says(place)!r}"
    return found


def offers(place: Place, *labels: str) -> bool:
    """Say whether a place has a button or menu that says one of these."""
    return any(labelled(place, label) for label in labels)


def identity(place: Place) -> str:
    """Return what tells a message or a modal from all others."""
    return str(place["id"] if "hash" in place else place["ts"])


def is_filled(view: Place) -> bool:
    """Say whether a modal shows more than that it loads."""
    return len(view["blocks"]) > 1


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
