"""The panel: every list of memories and changes that a person sees.

It is the content of App Home and of the modal that ``/memories`` opens. Its position is in the
metadata of the view, which Slack returns with each click in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.acts.blocks import (
    VIEW_BLOCKS_LIMIT,
    Block,
    Payload,
    SlackView,
    actions,
    bulleted,
    button,
    escaped,
    header,
    input_block,
    modal,
    note,
    option,
    plain_text,
    section,
    select,
    text_input,
)
from bot.acts.buttons import answer_buttons, consent_buttons, forget_all_button
from bot.acts.kinds import (
    ACT,
    QUERY_LIMIT,
    SEARCH,
    Forget,
    Open,
    Position,
    Switch,
    SwitchTo,
)
from bot.acts.lines import off_sentences, place_name, question_line
from bot.acts.receipt import Receipt, with_receipt
from bot.locale import LANGUAGES, Localizer, say
from bot.panel.rows import PanelContent, list_rows, refused_rows

PAGE_SIZE = 15
_SWITCHES = {
    "switch_on": Switch(to="on"),
    "switch_hour": Switch(to="off", minutes=60),
    "switch_tomorrow": Switch(to="tomorrow"),
    "switch_off": Switch(to="off"),
}
_DIVIDER: Block = {"type": "divider"}
_MOST_PLACES = 5  # that are named where memory is off
_TITLES = {
    "kept": "kept_panel_title",
    "cited": "cited_title",
    "forget": "forget_title",
}
_VIEW_FIELDS = ("type", "title", "submit", "close", "private_metadata")


def home_view(
    localizer: Localizer,
    content: PanelContent,
    receipt: Receipt | None = None,
    above: int = 0,
) -> SlackView:
    """Return the panel as Home, with the receipt of a click below the blocks `above` it."""
    localizer = replace(localizer, read_at_once=True)
    blocks = [header(localizer.say("panel_title"))]
    blocks += _panel(localizer, content)
    if content.handling:
        blocks.append(_DIVIDER)
        blocks.append(header(localizer.say("home_where")))
        blocks.append(section(bulleted(content.handling)))
    return {
        "type": "home",
        "private_metadata": content.position.value,
        "blocks": with_receipt(blocks, receipt, max(above, 1)),
    }


def panel_view(
    localizer: Localizer,
    content: PanelContent,
    receipt: Receipt | None = None,
    above: int = 0,
) -> SlackView:
    """Return the panel as a modal, with the receipt of a click below the blocks `above` it.

    Slack requires a submit button if there is an input; it searches for the words.
    """
    localizer = replace(localizer, read_at_once=True)
    blocks = with_receipt(_panel(localizer, content), receipt, above)
    title = _TITLES.get(content.position.list, "panel_title")
    if content.position.is_history:
        title = "menu_history"
    view = modal(localizer, title, blocks, content.position)
    if any(block["type"] == "input" for block in blocks):
        view["submit"] = plain_text(localizer.say("search_submit"))
    return view


def asks_which(question: Payload | None) -> bool:
    """Return whether a question what to forget has a row for each of several."""
    return question is not None and len(question["blocks"]) > len(("text", "button"))


def loading_view(position: Position) -> SlackView:
    """Return the modal in which the panel will appear, before the reader's language is known."""
    return {
        "type": "modal",
        "title": plain_text("Kioku"),
        "private_metadata": position.value,
        "blocks": [section(in_every_language("loading"))],
    }


def in_every_language(key: str) -> str:
    """Return a sentence for somebody whose language is not known yet."""
    return " / ".join(say(language, key) for language in LANGUAGES)


def view_as_it_was(view: SlackView, receipt: Receipt, above: int = 0) -> SlackView:
    """Return a view as Slack returned it, with a receipt in it."""
    fields = {name: view[name] for name in _VIEW_FIELDS if view.get(name)}
    blocks = with_receipt(view["blocks"], receipt, above)
    return {**fields, "blocks": blocks[:VIEW_BLOCKS_LIMIT]}


def _panel(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return the state of memory, and the list at the position."""
    rows = list_rows(localizer, content)
    position = content.position
    blocks: list[Block] = []
    if position.list == "kept":
        # What is kept for a conversation is not part of the person's own memories.
        if content.kept is not None:
            title = localizer.say("kept_title", channel=f"<#{position.of}>")
            blocks.append(section(title))
        return [*blocks, *rows, *_pages(localizer, content)]
    if position.list in ("cited", "forget") or position.is_history:
        return [*rows, *_pages(localizer, content)]
    blocks += _state(localizer, content)
    if position == Position() and content.questions:
        first = content.questions[0]
        buttons = answer_buttons(localizer, first)
        blocks.append(section(question_line(localizer, first)))
        blocks.append(actions(*buttons, block_id=f"question-{first.id}"))
    blocks.append(_DIVIDER)
    blocks.append(_controls(localizer, content))
    if position.list == "memories":
        blocks += _memories(localizer, content, rows)
    else:
        blocks += refused_rows(localizer, content)
        blocks.append(header(localizer.say("changes_title")))
        blocks += rows
    return [*blocks, *_pages(localizer, content)]


def _state(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return whether memory is on, with a menu to switch it, and how much is remembered."""
    if content.refusal is not None:
        return [section(localizer.say(content.refusal))]
    if content.asks:
        return [
            section(localizer.say("consent_ask")),
            actions(*consent_buttons(localizer), block_id="consent"),
        ]
    off = content.off
    # The option for the state of memory, if one describes it fully.
    chosen: SwitchTo | None = None if content.off_in else "on"
    text = localizer.say("panel_on")
    # Slack keeps a choice as long as the id of its block stays the same.
    block_id = f"state-{chosen}"
    if off is not None:
        chosen = "off" if off.until is None else None
        text = off_sentences(localizer, off)
        block_id = f"state-off-{off.until}"
    blocks = [section(text, _switch_menu(localizer, chosen), block_id)]
    if lines := _state_notes(localizer, content):
        blocks.append(note(*lines))
    return blocks


def _switch_menu(localizer: Localizer, chosen: SwitchTo | None) -> Block:
    """Return the menu that switches memory on or off."""
    options: list[Block] = []
    for key, act in _SWITCHES.items():
        options.append(option(localizer.say(key), act.value))
    # Slack sends no event for the option that is already chosen.
    menu = select(options, Switch(to=chosen).value if chosen else "")
    menu["action_id"] = ACT
    menu["placeholder"] = plain_text(localizer.say("switch_placeholder"))
    return menu


def _state_notes(localizer: Localizer, content: PanelContent) -> list[str]:
    """Return how many memories the list has, what is not read yet, and where memory is off."""
    lines: list[str] = []
    if content.memories:
        lines.append(localizer.say("counted_memories", count=content.found))
    if content.unformed:
        lines.append(localizer.say("messages_unformed", count=content.unformed))
    if content.off_in and content.off is None:
        shown = content.off_in[:_MOST_PLACES]
        named = localizer.listed([place_name(localizer, scope) for scope in shown])
        lines.append(localizer.say("off_here", where=named))
    return lines


def _memories(
    localizer: Localizer, content: PanelContent, rows: Sequence[Block]
) -> list[Block]:
    """Return the rows of memories below the input for the words to search for."""
    position = content.position
    if not rows and not position.of:
        return [section(localizer.say("panel_none"))]
    blocks = [_search(localizer, position)]
    if not rows:
        words = escaped(position.of)
        blocks.append(section(localizer.say("panel_no_match", words=words)))
    blocks += rows
    if position.of and len(content.memories) > 1:
        keys = tuple(memory.key for memory in content.memories)
        forget_all = forget_all_button(localizer, Forget(keys=keys))
        blocks.append(actions(forget_all, block_id="forget"))
    return blocks


def _search(localizer: Localizer, position: Position) -> Block:
    """Return the input for the words to search for."""
    element = text_input(QUERY_LIMIT, position.of, multiline=False)
    element["action_id"] = SEARCH
    element["placeholder"] = plain_text(localizer.say("search_example"))
    element["dispatch_action_config"] = {"trigger_actions_on": ["on_enter_pressed"]}
    # Slack keeps what was typed as long as the id of its block stays the same.
    block = input_block(
        f"search-{position.of}", localizer.say("search_submit"), element
    )
    block["dispatch_action"] = True
    return block


def _pages(localizer: Localizer, content: PanelContent) -> list[Block]:
    """Return the buttons for the rest of a list."""
    position = content.position
    buttons: list[Block] = []
    if position.page > 1:
        newer = position.on_page(position.page - 1)
        buttons.append(button(localizer.say("newer"), newer))
    if position.page * PAGE_SIZE < content.found:
        older = position.on_page(position.page + 1)
        buttons.append(button(localizer.say("older"), older))
    # What is below the window of a history is shown again when that is closed.
    if position != Position(page=position.page) and not position.is_history:
        buttons.append(button(localizer.say("all_memories"), Position()))
    if not buttons:
        return []
    return [actions(*buttons, block_id="pages")]


def _controls(localizer: Localizer, content: PanelContent) -> Block:
    """Return the buttons for everything else."""
    buttons: list[Block] = []
    if content.off is None and not content.asks and content.refusal is None:
        add = Open(form="add")
        buttons.append(button(localizer.say("add_button"), add, style="primary"))
    changes = Position(list="changes")
    buttons.append(button(localizer.say("changes_title"), changes))
    settings = Open(form="settings")
    buttons.append(button(localizer.say("settings_title"), settings))
    return actions(*buttons, block_id="controls")
