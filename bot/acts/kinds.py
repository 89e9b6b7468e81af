"""Acts: what a button, menu option or form means, as the JSON that Slack returns with it.

An act names things, never a person: it is carried out in the namespace of whoever clicks. So any
value that comes back is safe to read.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from memory import Selection
from memory.model import Json, MessageKey

ACT = "act"
"""The action id of an element whose value is an act; a row of elements adds numbers: ``act_1``."""
SEARCH = "search"
"""The action id of the input whose value is words to search for."""
QUERY_LIMIT = 100  # characters of the words that are searched for

List: TypeAlias = Literal["memories", "changes", "kept", "cited", "forget"]
SwitchTo: TypeAlias = Literal["on", "tomorrow", "off"]
PromiseTo: TypeAlias = Literal["done", "dropped"]
AnswerTo: TypeAlias = Literal["yes", "no", "both"]


class _Act(BaseModel):
    """The value of an element: compact JSON, without fields that have their defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    act: str

    @property
    def value(self) -> str:
        """The act as JSON."""
        fields = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(
            {"act": self.act, **fields}, ensure_ascii=False, separators=(",", ":")
        )


# --- what is shown -----------------------------------------------------------------------------


def _cut_words(words: str) -> str:
    return words[:QUERY_LIMIT]


class Position(_Act):
    """Show a list in the panel: its page, from 1, and what narrows the list.

    `of` is, for ``memories`` and ``forget`` (what may be forgotten, each with its button), the
    words that are searched for; for ``changes``, the key of a memory; for ``kept`` (what is kept
    for a conversation), the conversation's id; for ``cited`` (what an answer rests on), the id of
    its turn. Empty means all.
    """

    act: Literal["show"] = "show"
    list: List = "memories"
    of: Annotated[str, AfterValidator(_cut_words)] = ""
    page: PositiveInt = 1

    @property
    def is_history(self) -> bool:
        """Whether it is the changes of one memory, which have a window of their own."""
        return self.list == "changes" and bool(self.of)

    def on_page(self, page: int) -> Position:
        """Return the same list on another page."""
        return self.model_copy(update={"page": page})


class Open(_Act):
    """Open a form that is not about a single memory, or the text that helps."""

    act: Literal["open"] = "open"
    form: Literal["add", "settings", "delete", "help"]


# --- what is done at once ----------------------------------------------------------------------


class Switch(_Act):
    """Switch memory on, or off: everywhere or in a `bot.people.Off` scope.

    It is off until tomorrow, for `minutes`, or, with 0 of them, until it is switched on.
    """

    act: Literal["switch"] = "switch"
    to: SwitchTo
    scope: str = ""
    minutes: int = 0


class Answer(_Act):
    """Answer a question about a memory."""

    act: Literal["answer"] = "answer"
    question: UUID
    answer: AnswerTo


class Edit(_Act):
    """Open the form of a memory."""

    act: Literal["edit"] = "edit"
    key: str


class Forget(_Act):
    """Forget a `memory.Selection`: memories by their keys, messages, a time, or everything."""

    act: Literal["forget"] = "forget"
    keys: tuple[str, ...] = ()
    messages: tuple[MessageKey, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    everything: bool = False

    @property
    def selection(self) -> Selection:
        """What is to be forgotten."""
        return Selection(
            keys=self.keys,
            messages=self.messages,
            since=self.since,
            until=self.until,
            everything=self.everything,
        )


class Undo(_Act):
    """Undo changes by their ids, the changes of a notice, or a forgetting."""

    act: Literal["undo"] = "undo"
    what: Literal["changes", "notice", "forgetting"]
    ids: tuple[UUID, ...] = Field(min_length=1)


class Move(_Act):
    """Use a memory in direct messages only, or in the whole workspace."""

    act: Literal["move"] = "move"
    key: str
    to: Literal["dm", "public"]


class ChangePromise(_Act):
    """Say that a promise is kept or dropped."""

    act: Literal["promise"] = "promise"
    key: str
    to: PromiseTo


class Snooze(_Act):
    """Put the reminders of a promise off to tomorrow."""

    act: Literal["snooze"] = "snooze"
    key: str


class Remember(_Act):
    """Store a sentence as it was typed, in a message if `ts` is given."""

    act: Literal["remember"] = "remember"
    text: str = Field(min_length=1)
    channel: str = ""
    ts: str = ""


class Keep(_Act):
    """Keep a message of the person for its conversation, as a decision if it is one, or do not.

    `text`: its words, as the person was shown them.
    """

    act: Literal["keep"] = "keep"
    to: Literal["keep", "not"] = "keep"
    channel: str
    ts: str
    thread_ts: str = ""
    text: str = ""
    decision: bool = False


class TakeBack(_Act):
    """Stop keeping one of the person's lines for its conversation."""

    act: Literal["take_back"] = "take_back"
    id: UUID


class Rate(_Act):
    """Rate an answer."""

    act: Literal["rate"] = "rate"
    rating: Literal["good", "bad"]


class Export(_Act):
    """Send the person all data about them as files."""

    act: Literal["export"] = "export"


# --- forms -------------------------------------------------------------------------------------


class Place(BaseModel):
    """Where a person clicked or typed, which is where the result is shown.

    `url` is where Slack accepts the answer to a command or to a click in a message; `clicked`: to a
    click, whose answer takes the place of the message, which only this person sees, and which
    `stays` in Slack if it is not ephemeral. `view` is the
    id of the modal that holds the panel. `position` is the position of the clicked panel, which is
    Home if there is no `view`; None for a message or typed text. `above` is the number of blocks of
    the panel above the clicked one. `channel` is the conversation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = ""
    clicked: bool = False
    stays: bool = False
    view: str = ""
    position: Position | None = None
    above: int = 0
    channel: str = ""

    @property
    def is_history(self) -> bool:
        """Whether the click was in the window of a memory's history."""
        return self.position is not None and self.position.is_history

    @property
    def is_home(self) -> bool:
        """Whether the click was in Home."""
        return self.position is not None and not self.view


class _FormAct(_Act):
    """What a form does when it is submitted; its result is shown where it was opened."""

    place: Place = Place()


class AddLines(_FormAct):
    """Remember each line."""

    act: Literal["add_lines"] = "add_lines"


class SaveMemory(_FormAct):
    """Change a memory; `seen` is the time of its last change when the form was opened."""

    act: Literal["save_memory"] = "save_memory"
    key: str
    seen: datetime


class SaveSettings(_FormAct):
    """Store the chosen settings."""

    act: Literal["save_settings"] = "save_settings"


class DeleteData(_FormAct):
    """Delete all data about the person."""

    act: Literal["delete_data"] = "delete_data"


# --- reading -----------------------------------------------------------------------------------

Opening: TypeAlias = Open | Edit
"""The acts that open a form."""
Doing: TypeAlias = (
    Switch
    | Answer
    | Forget
    | Undo
    | Move
    | ChangePromise
    | Snooze
    | Remember
    | Keep
    | TakeBack
    | Export
)
"""The acts that do something, and leave a receipt."""
ButtonAct: TypeAlias = Position | Rate | Opening | Doing
FormAct: TypeAlias = AddLines | SaveMemory | SaveSettings | DeleteData
Act: TypeAlias = Annotated[ButtonAct | FormAct, Field(discriminator="act")]

_ADAPTER: TypeAdapter[ButtonAct | FormAct] = TypeAdapter(Act)


def read_act(value: object) -> ButtonAct | FormAct | None:
    """Return the act in a value; None if it cannot be read, as from another version of the app."""
    try:
        return _ADAPTER.validate_json(str(value))
    except ValidationError:
        return None


def clicked_act(action: Json) -> ButtonAct | None:
    """Return the act of a clicked element as Slack sends it; None if it cannot be read."""
    if action.get("action_id") == SEARCH:
        return Position(of=_typed_words(action))
    chosen = action.get("selected_option") or action
    act = read_act(chosen.get("value"))
    return act if isinstance(act, ButtonAct) else None


def panel_position(view: Json) -> Position | None:
    """Return the position of the panel in a view; None if the view is not a panel."""
    act = read_act(view.get("private_metadata"))
    return act if isinstance(act, Position) else None


def searched_words(view: Json) -> str:
    """Return the words in a panel's search input."""
    for elements in view["state"]["values"].values():
        if SEARCH in elements:
            return _typed_words(elements[SEARCH])
    return ""


def _typed_words(element: Json) -> str:
    """Return the words in an input, with single spaces."""
    return " ".join(str(element.get("value") or "").split())


def submitted_act(view: Json) -> FormAct | None:
    """Return the act of a submitted form; None if it cannot be read."""
    act = read_act(view.get("private_metadata"))
    return act if isinstance(act, FormAct) else None
