"""Taking memories along and bringing them in: the offer of a file, the form, the preview."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.locale import Language, say
from bot.views.blocks import (
    Block,
    Payload,
    actions,
    bulleted,
    button,
    checkboxes,
    escaped,
    input_block,
    joined_lines,
    note,
    option,
    page_buttons,
    question_payload,
    section,
    shortened,
    text_input,
)
from bot.views.changes import batch_undo_button
from bot.views.labels import describe, kind_title
from bot.views.modal_triggers import IMPORT_ALL_ACTION
from bot.views.views import SlackView, entered, form_view, information_view, metadata_of
from memory import ImportPlan, ImportResult, PlannedMemory, subject

EXPORT_ACTION = "export_memories"
UNDO_IMPORT_ACTION = "undo_import"
IMPORT_FORM = "memory_import"
IMPORT_PREVIEW = "memory_import_preview"
# Slack's own limit of a text input. Source: Block Kit reference, plain-text input element.
PASTE_LIMIT = 3_000
# Changes of a file shown in the preview, and on each page of all of them.
_SHOWN, _PAGE = 20, 50
# Source: Block Kit reference; a view has 250 kB. JSON escapes each Japanese character as 6 bytes.
_INSTRUCTIONS, _INSTRUCTION_BYTES = 40, 120_000
_WAS_LIMIT = 100
_TICK = "import.tick."
IMPORT_PAGE_ACTION = "import_page"
IMPORT_TEXT = "import.text"
"""The block of the text, below which errors are shown."""
_FILE = "import.file"
_OUTCOMES: tuple[tuple[Literal["added", "updated", "unchanged", "similar"], str], ...] = (
    ("added", "import_added"),
    ("updated", "import_updated"),
    ("unchanged", "import_unchanged"),
    ("similar", "import_similar"),
)
_REFUSED = {
    "shape": "import_refused_shape",
    "date": "import_refused_date",
    "unknown_kind": "import_refused_kind",
    "content": "import_refused_content",
    "secret": "import_refused_secret",
    "ended": "import_refused_ended",
    "too_many": "import_refused_many",
}
_CAUSES = {
    "large": "import_large",
    "damaged": "import_damaged",
    "foreign": "import_foreign",
    "newer": "import_newer",
    "no_list": "import_no_list",
    "lines": "import_no_lines",
    "empty": "import_empty",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportInput:
    """The input of an import: a text, or the address of a file."""

    text: str = ""
    file: str = ""


def export_offer(language: Language) -> Payload:
    """Return the offer of everything as a file, with its button."""
    text = say(language, "export_ask")
    send = button(EXPORT_ACTION, say(language, "export_button"), "export")
    return question_payload(text, send)


def import_form(
    language: Language, *, with_file: bool, text: str = "", problem: str = ""
) -> SlackView:
    """Return the form to import with, with `text` in it, and below `problem` where there is one."""
    ask = f"{say(language, 'import_ask')}\n```{say(language, 'import_prompt')}```"
    blocks: list[Block] = [section(problem or say(language, "import_about")), section(ask)]
    blocks.append(_text_input(language, text, required=not with_file))
    if with_file:
        upload = {"type": "file_input", "filetypes": ["json", "txt"], "max_files": 1}
        blocks.append(input_block(_FILE, say(language, "import_file"), upload, optional=True))
    else:
        blocks.append(note(say(language, "import_no_scope")))
    return form_view(
        language, "import_title", blocks, callback=IMPORT_FORM, submit="import_preview"
    )


def read_import(view: Mapping[str, Any]) -> ImportInput:
    """Read a submitted form or preview; looks nothing up."""
    text = str(entered(view, IMPORT_TEXT).get("value") or "").strip()
    files = entered(view, _FILE).get("files") or []
    file = str(files[0].get("url_private_download") or files[0].get("url_private")) if files else ""
    return ImportInput(text=text, file=file or metadata_of(view).get("file", ""))


def import_preview(
    language: Language, plan: ImportPlan, submitted: ImportInput, digest: str
) -> SlackView:
    """Return what an import would do; without a submit if that is nothing.

    Each instruction is shown in full with a box to tick. Of a pasted text every other change is
    shown; of a file the first ones, and a button for all of them.
    """
    blocks = _summary(language, plan)
    instructions = shown_instructions(plan)
    if instructions:
        blocks.append(section(say(language, "import_instructions")))
        blocks += [_instruction_checkbox(language, one) for one in instructions]
    if left := len(plan.instructions) - len(instructions):
        blocks.append(note(say(language, "import_instructions_more", count=left)))
    lines = plan.shown
    shown = lines[:_SHOWN] if submitted.file else lines
    blocks += _sections(language, shown)
    if left := len(lines) - len(shown):
        see_all = button(IMPORT_ALL_ACTION, say(language, "import_see_all", count=len(lines)), "1")
        blocks.append(note(say(language, "import_more", count=left)))
        blocks.append(actions(see_all))
    if not plan.changes and not instructions:
        blocks.append(note(say(language, "import_nothing")))
        return information_view(language, "import_title", blocks)
    blocks.append(note(say(language, "import_not_yet")))
    if not submitted.file:
        blocks.append(_text_input(language, submitted.text, required=True))
    return form_view(
        language,
        "import_title",
        blocks,
        callback=IMPORT_PREVIEW,
        submit="import_button",
        metadata={"digest": digest, "file": submitted.file},
    )


def import_page(language: Language, plan: ImportPlan, page: int, file: str) -> SlackView:
    """Return one page, from 1, of all that a file would change or leaves out but instructions."""
    lines = plan.shown
    pages = max(1, -(-len(lines) // _PAGE))
    page = min(max(page, 1), pages)
    blocks: list[Block] = [note(say(language, "import_page", page=page, pages=pages))]
    blocks += _sections(language, lines[(page - 1) * _PAGE : page * _PAGE])
    blocks += page_buttons(language, IMPORT_PAGE_ACTION, page, pages)
    return information_view(
        language, "import_title", blocks, metadata={"file": file, "language": language}
    )


def shown_instructions(plan: ImportPlan) -> list[PlannedMemory]:
    """Return the instructions that fit into a preview, each in full."""
    shown: list[PlannedMemory] = []
    room = _INSTRUCTION_BYTES
    for one in plan.instructions[:_INSTRUCTIONS]:
        room -= len(json.dumps(_instruction(one)))
        if room < 0:
            break
        shown.append(one)
    return shown


def selected_instructions(plan: ImportPlan, view: Mapping[str, Any]) -> list[PlannedMemory]:
    """Return the instructions whose box is ticked in a submitted preview."""
    boxes = _ticked(view)
    return [one for one in shown_instructions(plan) if _instruction_id(one) in boxes]


def any_selected(view: Mapping[str, Any]) -> bool:
    """Say whether any box of a submitted preview is ticked."""
    return bool(_ticked(view))


def _ticked(view: Mapping[str, Any]) -> set[str]:
    return {
        block.removeprefix(_TICK)
        for block in view["state"]["values"]
        if block.startswith(_TICK) and entered(view, block).get("selected_options")
    }


def _summary(language: Language, plan: ImportPlan) -> list[Block]:
    """Return how many there are of each fate and kind, and how many were left out, and why."""
    counts = [
        say(language, key, count=len(found)) for fate, key in _OUTCOMES if (found := plan.of(fate))
    ]
    kinds = Counter(str(one.memory.value["kind"]) for one in plan.changes)
    if kinds:
        listed = [f"{kind_title(language, kind)} ({n})" for kind, n in kinds.most_common()]
        counts.append(say(language, "import_kinds", kinds=say(language, "listed").join(listed)))
    refused = [
        say(language, _REFUSED[reason], count=count)
        for reason, count in sorted(plan.refused.items())
    ]
    if not plan.compared:
        refused.append(say(language, "import_not_compared"))
    lines = [*counts, *refused]
    return [section(bulleted(lines))] if lines else []


def _instruction_id(one: PlannedMemory) -> str:
    """Return what identifies an instruction with its text, short enough for a block's id."""
    named = f"{one.memory.reference}\n{_instruction(one)}"
    return hashlib.sha256(named.encode()).hexdigest()[:32]


def _instruction(one: PlannedMemory) -> str:
    return subject(str(one.memory.value["kind"]), one.memory.value["content"])


def _instruction_checkbox(language: Language, one: PlannedMemory) -> Block:
    was = subject(one.now.kind, one.now.content) if one.now else ""
    return input_block(
        f"{_TICK}{_instruction_id(one)}",
        _instruction(one),
        checkboxes([option(say(language, "import_tick"), "yes")]),
        optional=True,
        hint=say(language, "import_tick_was", was=shortened(was, _WAS_LIMIT)) if was else "",
    )


def _sections(language: Language, changes: Sequence[PlannedMemory]) -> list[Block]:
    """Return one line for each change, in as few sections as they fit into."""
    return [section(text) for text in joined_lines([_line(language, one) for one in changes])]


def imported_view(language: Language, done: ImportResult, refused: int = 0) -> SlackView:
    """Return what was imported, with one Undo for all of it; `refused` ticked instructions."""
    total = len(done.changes)
    updated = sum(1 for one in done.changes if one.before is not None)
    text = say(language, "imported", added=total - updated, updated=updated, known=done.known)
    undo = None
    if total:
        undo = batch_undo_button(language, UNDO_IMPORT_ACTION, "import_undo", done.changes)
    blocks = [section(text, undo), note(say(language, "imported_undo"))]
    if refused:
        blocks.insert(1, section(say(language, "imported_refused", count=refused)))
    return information_view(language, "import_title", blocks)


def not_an_export(language: Language, cause: str) -> str:
    """Return why something cannot be imported; `cause` is one of `memory.NotAnExport`."""
    return say(language, _CAUSES.get(cause, "import_damaged"))


def _text_input(language: Language, text: str, *, required: bool) -> Block:
    element = text_input(PASTE_LIMIT, text[:PASTE_LIMIT])
    hint = say(language, "import_text_hint", count=PASTE_LIMIT)
    return input_block(
        IMPORT_TEXT, say(language, "import_text"), element, optional=not required, hint=hint
    )


def _line(language: Language, one: PlannedMemory) -> str:
    kind, content = str(one.memory.value["kind"]), one.memory.value["content"]
    what = escaped(describe(language, kind, content))
    if one.now is None:
        return say(language, "import_line_added", what=what)
    was = escaped(describe(language, one.now.kind, one.now.content))
    key = "import_line_similar" if one.fate == "similar" else "import_line_updated"
    return say(language, key, what=what, was=was)
