"""Conversations as text, and what each of their lines means.

A file holds conversations with an empty line between them: a sentence that shall be true, and
below it, indented, the steps. A step is one of the methods of `Conversation` by its pattern.

People are those whose names begin a step; Aya reads Japanese. `#room` is a public channel that
all of them are in, `#private` a private one, `#group` a group message, `#shared` one that is
shared with another organisation; `#room2` is another one. Without a place people write directly.
What is expected is `one thing; another; not a third`. `{Dana}` is the name that others see;
`{date2}` and `{weekday2}` are the day after tomorrow's.
"""

from __future__ import annotations

import itertools
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.kioku import Kioku
from tests.loopback import fetched
from tests.person import Place, Said, labelled, offers, says
from tests.waiting import wait_until

_SECONDS = 60.0
_KINDS = {"#room": "public", "#private": "private", "#group": "mpim"}
_KINDS["#shared"] = "connect"
_NAMED = re.compile(r"^    ([A-Z][a-z]+)(?: |'s )", re.M)
_NOBODY = {"Kioku", "Slack"}
_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
_FILES = {
    "plan.txt": b64encode(b"The codename is Heliotrope.").decode(),
    "dot.png": _PIXEL,
}
_numbers = itertools.count(101)
_STEPS: list[tuple[re.Pattern[str], str]] = []


@dataclass(frozen=True)
class Script:
    """A conversation as it stands in a file: its sentence, and its steps."""

    title: str
    steps: tuple[str, ...]
    names: frozenset[str]


def read_scripts(name: str) -> list[Script]:
    """Return the conversations of a file."""
    text = Path(__file__).with_name(f"{name}.txt").read_text("utf-8")
    paragraphs = [one for one in text.split("\n\n") if not one.startswith("#")]
    scripts = []
    for one in paragraphs:
        title, *steps = one.strip().splitlines()
        names = frozenset(_NAMED.findall(one)) - _NOBODY
        scripts.append(Script(title, tuple(map(str.strip, steps)), names))
    return scripts


def step(pattern: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a method be what steps of this form do."""

    def named(method: Callable[..., None]) -> Callable[..., None]:
        _STEPS.append((re.compile(pattern), method.__name__))
        return method

    return named


class Conversation:
    """People, their channels, and what was said and shown last."""

    said: Said
    shown: Place

    def __init__(self, kioku: Kioku, script: Script) -> None:
        self.kioku = kioku
        self.begun = datetime.now(UTC)
        self.people = {
            name: kioku.person(name, next(_numbers)) for name in sorted(script.names)
        }
        self.channels: dict[str, str] = {}
        self.all_said: list[Said] = []
        self.words = {name: one.name for name, one in self.people.items()}
        self.words["long"] = "Details follow. " * 400
        for number in range(10):
            day = self.begun + timedelta(days=number)
            self.words[f"date{number}"] = f"{day:%b} {day.day}"
            self.words[f"weekday{number}"] = f"{day:%A}"

    def have(self, script: Script) -> None:
        """Take all steps; whatever goes wrong names its step."""
        for line in script.steps:
            try:
                self.take(line)
            except Exception as error:
                error.add_note(f"at the step: {line}")
                error.add_note(f"last shown: {says(getattr(self, 'shown', {}))}")
                if hasattr(self, "said"):
                    below = "\n".join(map(says, self.said.below()))
                    error.add_note(f"below {self.said.text!r}: {below}")
                raise

    def take(self, line: str) -> None:
        """Take one step."""
        for pattern, name in _STEPS:
            if found := pattern.fullmatch(line):
                given = found.groupdict(default="")
                filled = {key: one.format(**self.words) for key, one in given.items()}
                getattr(self, name)(**filled)
                return
        raise AssertionError("No step has this form.")

    def channel(self, place: str) -> str:
        """Return a conversation by its name; it is made when somebody first uses it."""
        if not place:
            return "dm"
        if place not in self.channels:
            kind = _KINDS[place.rstrip("0123456789")]
            members = [one.id for one in self.people.values()]
            self.channels[place] = self.kioku.slack.channel(kind, *members)
        return self.channels[place]

    # --- what people do

    @step(
        r"(?P<who>\w+) (?P<how>says|asks|tells)(?: in (?P<place>#\w+))?: (?P<text>.+)"
    )
    def speak(self, who: str, how: str, place: str, text: str) -> None:
        """Write: nothing more, or with a mention and to the answer, or to the notice."""
        mention = "<@BOT> " if place and how != "says" else ""
        text = text.replace("\\n", "\n")
        self._say(who, mention + text, how, channel=self.channel(place))

    @step(r"(?P<who>\w+) (?P<how>says|asks|tells) below: (?P<text>.+)")
    def reply(self, who: str, how: str, text: str) -> None:
        """Write in the thread of the last message, without a mention."""
        self._say(who, text, how, under=self.said)

    def _say(self, who: str, text: str, how: str, **where: Any) -> None:
        self.said = self.people[who].say(text, **where)
        self.all_said.append(self.said)
        if how != "says":
            self.said.answer()
        if how == "tells":
            self.shown = self.said.notice(text.split()[-1])

    @step(r"(?P<who>\w+) types(?: in (?P<place>#\w+))?: (?P<text>/.+)")
    def type_command(self, who: str, place: str, text: str) -> None:
        """Type a command, and see what it shows."""
        self.shown = self.people[who].command_shows(text, self.channel(place))

    @step(r"(?P<who>\w+) shows (?P<name>\S+): (?P<text>.+)")
    def show(self, who: str, name: str, text: str) -> None:
        """Write with a file."""
        upload = {"user": self.people[who].id, "name": name, "content": _FILES[name]}
        file = self.kioku.slack.control("files", upload)["id"]
        self._say(who, text, "asks", file_ids=[file])

    @step(r"(?P<who>\w+) forwards it with: (?P<text>.+)")
    def forward(self, who: str, text: str) -> None:
        """Forward the last message to Kioku with a comment."""
        where = {"channel": self.said.channel, "ts": self.said.ts}
        user = self.people[who].id
        made = {"user": user, "text": text, **where}
        self.kioku.slack.control("messages/forward", made)

    @step(r"(?P<who>\w+) edits it to: (?P<text>.+)")
    def edit(self, who: str, text: str) -> None:
        """Edit the last message."""
        said = self.said
        assert said.person is self.people[who]
        self.kioku.slack.control("messages/edit", {**said.own, "text": text})

    @step(r"(?P<who>\w+) takes back: (?P<words>.+)")
    def delete(self, who: str, words: str) -> None:
        """Delete one's message that begins with these words."""
        [said] = [
            one
            for one in self.all_said
            if one.person is self.people[who] and words in one.text
        ]
        self.kioku.slack.control("messages/delete", said.own)

    @step(r"(?P<who>\w+) uses (?P<name>[^:]+)")
    def use(self, who: str, name: str) -> None:
        """Use a shortcut in the menu of the last message, whoever wrote it."""
        known = self.kioku.slack.control("state")["shortcuts"]
        [chosen] = [one["callback_id"] for one in known if one["name"] == name]
        self.people[who].use(chosen, self.said.channel, self.said.ts)

    @step(r"(?P<who>\w+) clicks (?P<label>.+?)(?: at (?P<near>.+))?")
    def click(self, who: str, label: str, near: str) -> None:
        """Click a button, or an entry of a menu, of what is shown."""
        person = self.people[who]

        def ready() -> Place | None:
            now = person.now(self.shown)
            return now if now and labelled(now, label, near) else None

        place = wait_until(ready, f"{label!r} near {near!r}", _SECONDS)
        person.choose(place, label, near)

    @step(r"(?P<who>\w+) submits: (?P<text>.+)")
    def submit(self, who: str, text: str) -> None:
        """Fill the first text field of the form, and submit it."""
        self.people[who].fill(text)

    @step(r"(?P<who>\w+) submits (?P<new>.+) in place of (?P<old>.+)")
    def change(self, who: str, new: str, old: str) -> None:
        """Change words in a text field of the form, and submit it."""
        self.people[who].fill(new, old)

    @step(r"(?P<who>\w+) chooses (?P<label>.+)")
    def select(self, who: str, label: str) -> None:
        """Choose an option of the form, and submit it."""
        self.people[who].fill_option(label)

    # --- what is to be seen

    @step(r"answer: (?P<expected>.+)")
    def answer(self, expected: str) -> None:
        """Compare the answer to the last message."""

        def right() -> bool:
            answers = self.said.answers()
            return bool(answers) and not _wrong(expected, "\n".join(answers))

        wait_until(right, expected, _SECONDS)

    @step(r"something comes: (?P<expected>.+)")
    def something(self, expected: str) -> None:
        """Wait for whatever comes below the last message; compare it."""
        below = wait_until(self.said.below, "something below the message", _SECONDS)
        self.shown = below[0]
        assert _wrong(expected, "\n".join(map(says, below))) == []

    @step(r"the model was asked once")
    def asked_once(self) -> None:
        """Expect one request for the answer to the last message."""
        assert len(self.kioku.requests("reply", self.said.text)) == 1

    @step(r"the model was not asked: (?P<words>.+)")
    def not_asked(self, words: str) -> None:
        """Expect that no request has these words."""
        assert not self.kioku.requests("", words)

    @step(r"one answer")
    def one_answer(self) -> None:
        """Expect exactly one finished answer to the last message."""
        self.kioku.slack.all_delivered()
        assert len(self.said.answers()) == 1

    @step(r"no answer")
    def no_answer(self) -> None:
        """Expect that nothing comes below the last message, and that no model sees it."""
        self.kioku.slack.all_delivered()
        assert self.said.below() == []
        assert not self.kioku.requests("", self.said.text)

    @step(r"prompt: (?P<expected>.+)")
    def prompt(self, expected: str) -> None:
        """Compare all that the model was given for the last message."""
        self.prompt_of(
            self.said.text.removeprefix("<@BOT> ").removeprefix("@Kioku "), expected
        )

    @step(r"prompt of (?P<words>.+?): (?P<expected>.+)")
    def prompt_of(self, words: str, expected: str) -> None:
        """Compare all that the model was given for a message with these words."""
        asked = wait_until(
            lambda: self.kioku.requests("reply", words), "a request to the model"
        )
        assert _wrong(expected, asked[-1]) == []

    @step(r"notice: (?P<expected>.+)")
    def notice(self, expected: str) -> None:
        """Wait for the line that says what was remembered."""
        self.shown = self.said.notice(expected.split("; ")[0])
        assert _wrong(expected, says(self.shown)) == []

    @step(r"(?P<who>\w+)'s list: (?P<expected>.+)")
    def list_memories(self, who: str, expected: str) -> None:
        """Look at `/memories` until it is right."""
        self._see(expected, lambda: self.people[who].command_shows("/memories"))

    @step(r"(?P<who>\w+)'s list of (?P<place>#\w+): (?P<expected>.+)")
    def list_kept(self, who: str, place: str, expected: str) -> None:
        """Look at what a channel keeps until it is right."""
        typed, channel = "/memories channel", self.channel(place)
        self._see(expected, lambda: self.people[who].command_shows(typed, channel))

    @step(r"(?P<who>\w+)'s Home: (?P<expected>.+)")
    def home(self, who: str, expected: str) -> None:
        """Look at the Home tab until it is right."""
        self._see(expected, self.people[who].open_home)

    @step(r"(?P<who>\w+) sees(?: in (?P<place>#\w+))?: (?P<expected>.+)")
    def see(self, who: str, place: str, expected: str) -> None:
        """Wait for a window, or a message of the app, that is right."""
        person, channel = self.people[who], self.channel(place)

        def found() -> Place | None:
            fitting = [
                one
                for one in person.all_shown(channel)
                if not _wrong(expected, says(one))
            ]
            return fitting[-1] if fitting else None

        self.shown = wait_until(found, expected, _SECONDS)

    @step(r"(?P<who>\w+) sees once: (?P<words>.+)")
    def see_once(self, who: str, words: str) -> None:
        """Wait until one message of the direct messages has these words."""
        person = self.people[who]
        wait_until(
            lambda: sum(words in says(one) for one in person.all_shown()) == 1, words
        )

    @step(r"(?P<who>\w+) sees nothing of what came first")
    def see_nothing_of_it(self, who: str) -> None:
        """Wait until what `something comes` has found has given way."""
        person = self.people[who]
        old = says(self.shown)
        wait_until(
            lambda: not any(old in says(one) for one in person.all_shown()), "an end"
        )

    @step(r"(?P<who>\w+) is reminded of: (?P<words>.+)")
    def reminder(self, who: str, words: str) -> None:
        """Wait for the one message that reminds of it."""
        self.shown = wait_until(lambda: self._reminders(who), f"a reminder of {words}")[
            0
        ]
        assert len(self._reminders(who)) == 1
        assert words in says(self.shown)

    @step(r"(?P<who>\w+) is reminded of nothing")
    def no_reminder(self, who: str) -> None:
        """Wait until no message reminds any more."""
        wait_until(lambda: not self._reminders(who), "no reminder")

    def _reminders(self, who: str) -> list[Place]:
        return [one for one in self.people[who].all_shown() if _reminds(one)]

    @step(r"(?P<who>\w+) does not see(?: in (?P<place>#\w+))?: (?P<words>.+)")
    def not_see(self, who: str, place: str, words: str) -> None:
        """Expect that no message or window of the app has these words."""
        everything = self.people[who].all_shown(self.channel(place))
        assert not [one for one in everything if words in says(one)]

    @step(r"shown: (?P<expected>.+)")
    def compare(self, expected: str) -> None:
        """Compare what is shown."""
        assert _wrong(expected, says(self.shown)) == []

    @step(r"(?P<who>\w+)'s export: (?P<expected>.+)")
    def export(self, who: str, expected: str) -> None:
        """Export everything, and read the files."""
        files = self.people[who].export()
        where = f"{self.kioku.slack.url}/_playground/files"
        user = self.people[who].id
        texts = [fetched(f"{where}/{one['id']}?user={user}")[2] for one in files]
        assert _wrong(expected, b"\n".join(texts).decode()) == []

    @step(r"requests (?:that are no replies )?are without: (?P<words>.+)")
    def without(self, words: str) -> None:
        """Expect words in no request but those for replies."""
        replies = self.kioku.requests("reply")
        others = [one for one in self.kioku.requests() if one not in replies]
        assert not [one for one in others if words in one]

    # --- what else happens

    @step(r"the model answers (?P<match>.+?): (?P<text>.+)")
    def script(self, match: str, text: str) -> None:
        """Let the model answer messages with these words so."""
        self.kioku.answers_with(text, match)

    @step(r"the model refuses (?P<match>.+)")
    def refuse(self, match: str) -> None:
        """Let the model's server refuse messages with these words."""
        self.kioku.fails(match, status=400, error_code="invalid_prompt")

    @step(r"the model takes (?P<seconds>\d+) seconds to read (?P<match>.+)")
    def slow(self, seconds: str, match: str) -> None:
        """Let what is to be remembered wait."""
        delay = int(seconds) * 1000
        self.kioku.fails(match, kind="formation", delay_ms=delay)

    @step(r"the model takes its time")
    def pace(self) -> None:
        """Let answers be streamed for seconds."""
        self.kioku.slack.model("settings", {"token_ms": 30, "chunk_chars": 40})

    @step(r"the model is away")
    def away(self) -> None:
        """Let every request to the model fail."""
        self.kioku.fails("", status=503)

    @step(r"the model is back")
    def back(self) -> None:
        """Let the model answer again."""
        self.kioku.slack.model("faults", method="DELETE")

    @step(r"Slack delivers it again")
    def again(self) -> None:
        """Deliver the last message's event twice more."""
        slack = self.kioku.slack
        made = slack.control("deliveries?since=0")["deliveries"]
        [event] = [one["body"] for one in made if self.said.ts in str(one)][:1]
        for _ in range(2):
            slack.control("events", {"raw": event})

    @step(r"Kioku is killed, and started again")
    def crash(self) -> None:
        """Let it crash."""
        self.kioku.kill()
        self.kioku.start()

    @step(r"(?P<minutes>\d+) minutes later")
    def minutes_later(self, minutes: str) -> None:
        """Let the clock go on."""
        self.kioku.later(int(minutes) * 60)

    @step(r"(?P<days>\d+) days? later, in the morning")
    def days_later(self, days: str) -> None:
        """Let it be five past nine, where these people are, of a later day."""
        day = self.begun + timedelta(days=int(days))
        morning = day.replace(hour=9, minute=5, second=0, microsecond=0)
        self.kioku.later((morning - datetime.now(UTC)).total_seconds())

    def _see(self, expected: str, look: Callable[[], Place]) -> None:
        def right() -> bool:
            self.shown = look()
            return not _wrong(expected, says(self.shown))

        wait_until(right, expected, _SECONDS)


def _wrong(expected: str, text: str) -> list[str]:
    """Return what of `expected` is not so in a text."""
    return [one for one in expected.split("; ") if not _is_so(one, text)]


def _is_so(expected: str, text: str) -> bool:
    if expected.startswith("not "):
        return expected.removeprefix("not ") not in text
    return expected in text


def _reminds(place: Place) -> bool:
    return offers(place, "Done") and not offers(place, "Undo") and "hash" not in place
