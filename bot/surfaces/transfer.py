"""Taking memories along and bringing them in: the offer of a file, the form, the preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.locale import Language, say
from bot.surfaces.blocks import Block, Payload, button, escaped, note, plain_text, private, section
from bot.surfaces.views import View, asking_view, metadata_of, reading_view
from bot.surfaces.wording import describe
from memory import Change, Plan, Planned

EXPORT_ACTION = "export_memories"
IMPORT_FORM = "memory_import"
IMPORT_PREVIEW = "memory_import_preview"
# Slack's own limit of a text input. Source: Block Kit reference, plain-text input element.
PASTE_LIMIT = 3_000
_SHOWN = 10
_TEXT, _FILE = "import.text", "import.file"
_FATES: tuple[tuple[Literal["added", "updated", "unchanged"], str], ...] = (
    ("added", "import_added"),
    ("updated", "import_updated"),
    ("unchanged", "import_unchanged"),
)
_REFUSED = {
    "shape": "import_refused_shape",
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
class Entered:
    """What a person gave to import: a text, or the address of a file. `block` is for errors."""

    text: str
    file: str
    block: str


def export_offer(language: Language) -> Payload:
    """Return the offer of everything as a file, with its button."""
    text = say(language, "export_ask")
    send = button(EXPORT_ACTION, say(language, "export_button"), "export")
    return private(text, [section(text), {"type": "actions", "elements": [send]}])


def import_form(language: Language, *, with_file: bool, text: str = "", problem: str = "") -> View:
    """Return the form to import with, with `text` in it, and below `problem` where there is one."""
    blocks: list[Block] = [section(problem or say(language, "import_about"))]
    blocks.append(_text_input(language, text, required=not with_file))
    if with_file:
        blocks.append(
            {
                "type": "input",
                "block_id": _FILE,
                "optional": True,
                "label": plain_text(say(language, "import_file")),
                "element": {
                    "type": "file_input",
                    "action_id": "value",
                    "filetypes": ["json", "txt"],
                    "max_files": 1,
                },
            }
        )
    else:
        blocks.append(note(say(language, "import_no_scope")))
    return asking_view(
        language,
        "import_title",
        blocks,
        callback=IMPORT_FORM,
        submit="import_preview",
        metadata={},
    )


def read_import(view: Mapping[str, Any]) -> Entered:
    """Read a submitted form or preview; looks nothing up."""
    state = view["state"]["values"]
    text = str((state.get(_TEXT, {}).get("value") or {}).get("value") or "").strip()
    files = (state.get(_FILE, {}).get("value") or {}).get("files") or []
    file = str(files[0].get("url_private_download") or files[0].get("url_private")) if files else ""
    return Entered(text=text, file=file or metadata_of(view).get("file", ""), block=_TEXT)


def import_preview(language: Language, plan: Plan, entered: Entered, digest: str) -> View:
    """Return what an import would do, with its first lines; without a submit if that is nothing."""
    counts = [
        say(language, key, count=len(found)) for fate, key in _FATES if (found := plan.of(fate))
    ]
    refused = [
        say(language, _REFUSED[reason], count=count)
        for reason, count in sorted(plan.refused.items())
    ]
    changes = [*plan.of("added"), *plan.of("updated")]
    blocks: list[Block] = []
    if lines := [f"• {line}" for line in [*counts, *refused]]:
        blocks.append(section("\n".join(lines)))
    blocks += [section(_line(language, one)) for one in changes[:_SHOWN]]
    if len(changes) > _SHOWN:
        blocks.append(note(say(language, "import_more", count=len(changes) - _SHOWN)))
    if not changes:
        blocks.append(note(say(language, "import_nothing")))
        return reading_view(language, "import_title", blocks)
    blocks.append(note(say(language, "import_not_yet")))
    if not entered.file:
        blocks.append(_text_input(language, entered.text, required=True))
    return asking_view(
        language,
        "import_title",
        blocks,
        callback=IMPORT_PREVIEW,
        submit="import_button",
        metadata={"digest": digest, "file": entered.file},
    )


def imported_view(language: Language, changes: Sequence[Change]) -> View:
    """Return what was imported, and where it can be undone."""
    updated = sum(1 for one in changes if one.before is not None)
    text = say(language, "imported", added=len(changes) - updated, updated=updated)
    return reading_view(
        language, "import_title", [section(text), note(say(language, "imported_undo"))]
    )


def not_an_export(language: Language, cause: str) -> str:
    """Return why something cannot be imported; `cause` is one of `memory.NotAnExport`."""
    return say(language, _CAUSES.get(cause, "import_damaged"))


def _text_input(language: Language, text: str, *, required: bool) -> Block:
    return {
        "type": "input",
        "block_id": _TEXT,
        "optional": not required,
        "label": plain_text(say(language, "import_text")),
        "hint": plain_text(say(language, "import_text_hint", count=PASTE_LIMIT)),
        "element": {
            "type": "plain_text_input",
            "action_id": "value",
            "multiline": True,
            "max_length": PASTE_LIMIT,
            **({"initial_value": text[:PASTE_LIMIT]} if text else {}),
        },
    }


def _line(language: Language, one: Planned) -> str:
    kind, content = str(one.memory.value["kind"]), one.memory.value["content"]
    what = escaped(describe(language, kind, content))
    if one.now is None:
        return say(language, "import_line_added", what=what)
    was = escaped(describe(language, one.now.kind, one.now.content))
    return say(language, "import_line_updated", what=what, was=was)
