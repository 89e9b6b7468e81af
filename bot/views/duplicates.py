"""Duplicates: which memories say the same, chosen before anything changes, and the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.locale import Language, say
from bot.views.blocks import (
    Block,
    Payload,
    actions,
    button,
    checkboxes,
    escaped,
    joined_lines,
    note,
    option,
    question_payload,
    section,
)
from bot.views.changes import batch_undo_button
from bot.views.labels import audience_name, describe
from bot.views.modal_triggers import DUPLICATES_ACTION
from bot.views.views import SlackView, entered, form_view, information_view, metadata_of
from memory import Memory, MergeResult, SimilarMemories, state_id

DUPLICATES_FORM = "memory_duplicates"
UNDO_MERGE_ACTION = "undo_merge"
TICK_ACTION = "duplicates_tick"
_TICK = "duplicates.tick."
_STATE = 8  # characters of a `state_id`
# A view has 100 blocks, 250 kB and 3,000 characters of metadata; JSON escapes each Japanese
# character as 6 bytes. Source: Block Kit reference.
_GROUPS, MEMORIES_SHOWN, _LINE = 40, 200, 160


def duplicates_button(language: Language) -> Block:
    """Return the button that finds duplicates."""
    return button(DUPLICATES_ACTION, say(language, "merge_title"), "find")


def duplicates_offer(language: Language) -> Payload:
    """Return the offer to find duplicates, for a request in plain words."""
    return question_payload(say(language, "merge_offer"), duplicates_button(language))


def duplicates_view(
    language: Language, groups: Sequence[Sequence[Memory]], found: SimilarMemories, *, more: bool
) -> SlackView:
    """Return the groups that fit, each with a ticked box, its first memory being the one to keep.

    `more`: not all that was `found` was judged. Without groups there is nothing to submit.
    """
    blocks = [section(say(language, "merge_about" if groups else "merge_none"))]
    states: list[str] = []
    remaining = MEMORIES_SHOWN
    for group in groups[:_GROUPS]:
        if remaining > 1:
            blocks += _group(language, len(states), group[:remaining])
            states.append("".join(map(state_id, group[:remaining])))
        remaining -= len(group)
    if found.compared < found.total:
        compared = say(language, "merge_compared", count=found.compared, total=found.total)
        blocks.append(note(compared))
    if more or remaining < 0 or len(groups) > _GROUPS:
        blocks.append(note(say(language, "merge_more")))
    if not groups:
        return information_view(language, "merge_title", blocks)
    return form_view(
        language,
        "merge_title",
        blocks,
        callback=DUPLICATES_FORM,
        submit="merge_button",
        metadata={"groups": " ".join(states)},
    )


def chosen_groups(view: Mapping[str, Any]) -> list[list[str]]:
    """Return the `state_id`s of the groups whose box is not cleared in a submitted view."""
    groups = metadata_of(view).get("groups", "").split()
    return [
        [names[start : start + _STATE] for start in range(0, len(names), _STATE)]
        for number, names in enumerate(groups)
        if entered(view, f"{_TICK}{number}").get("selected_options", True)
    ]


def merged_view(language: Language, done: MergeResult) -> SlackView:
    """Return what was merged, with one Undo for all of it, and what was left out."""
    blocks: list[Block] = []
    if done.changes:
        undo = batch_undo_button(language, UNDO_MERGE_ACTION, "merge_undo", done.changes)
        count = sum(one.after is None for one in done.changes)
        blocks.append(section(say(language, "merged", count=count), undo))
        blocks.append(note(say(language, "imported_undo")))
    if done.changed:
        blocks.append(section(say(language, "merge_changed", count=done.changed)))
    return information_view(language, "merge_title", blocks)


def _group(language: Language, number: int, group: Sequence[Memory]) -> list[Block]:
    keep, *others = (escaped(_line(language, memory)) for memory in group)
    where = audience_name(language, group[0].namespace.audience)
    lines = [say(language, "place_now", where=where), say(language, "merge_keep", what=keep)]
    lines += [say(language, "merge_forget", what=what) for what in others]
    merge = option(say(language, "merge_tick", count=len(group)), "yes")
    box = checkboxes([merge], [merge], action_id=TICK_ACTION)
    # Not an input block: Slack advises no more than six of them in a modal.
    chosen = {**actions(box), "block_id": f"{_TICK}{number}"}
    return [*map(section, joined_lines(lines)), chosen]


def _line(language: Language, memory: Memory) -> str:
    return describe(language, memory.kind, memory.content, _LINE)
