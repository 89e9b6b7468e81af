"""No text is too long for the part of Slack it is shown in, in either language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from string import Formatter

import pytest

from bot.delivery.sessions import LOADING
from bot.locale import LANGUAGES, Language
from bot.views.labels import FIELD_LABELS, KIND_TITLES
from tests.lint.test_locale import TEXTS, sources

# Where each short text is shown, with Slack's limit of characters. What is not named here is in
# sections, notes and messages. Sources: https://docs.slack.dev/reference/block-kit and the pages of
# assistant.threads.setStatus.
FIELDS: dict[str, tuple[int, str]] = {
    "a modal's title or button": (
        24,
        "settings_title form_edit_title form_add_title memory_title place_title "
        " used_title history_modal_title erase_title feedback_title my_memories_title"
        " forget_confirm_title hint_why_button modal_close modal_cancel form_save erase_submit"
        " feedback_send pause_title pause_submit"
        " forget_everything_button export_title prompt_title  "
        " example_title",
    ),
    "a button": (
        75,
        "memories_next memories_previous form_add_title home_show_all home_all_changes"
        " forget_button forget_all_button forget_period_button forget_everything_button erase_title"
        " export_button undo_button resume_button consent_agree consent_refuse"
        " incognito_on_button incognito_off_button"
        " hint_choose_button move_dm_button move_public_button move_here_button ask_replace"
        " ask_keep_both ask_keep_old ask_remove ask_keep ask_store ask_not_store refused_store"
        " ask_widen ask_keep_narrow details_button history_newest history_older used_title"
        " settings_turn_off settings_turn_on settings_change tour_skip"
        " retention_button feedback_good feedback_bad  "
        " example_button"
        " used_show_others feedback_share_button prompt_approve_button prompt_edit_button"
        " prompt_reject_button prompt_cases_button prompt_roll_back_button",
    ),
    "an accessibility label": (75, "used_label feedback_good_label feedback_bad_label"),
    "a dialogue's button": (
        30,
        "forget_keep forget_button forget_period_button forget_everything_button",
    ),
    "a dialogue's title": (100, "forget_confirm_title"),
    "a dialogue's text": (300, "forget_confirm_text"),
    "an option": (
        75,
        "menu_edit forget_button place_title history_modal_title forget_everything_button"
        " export_title settings_change incognito_on_button incognito_off_button"
        " step_little step_quite step_very step_disliked step_liked step_loved form_yes form_no"
        " settings_memory_on"
        " settings_memory_stay settings_memory_hour settings_memory_tomorrow settings_memory_open"
        " settings_memory_off settings_notices_yes settings_as_slack settings_kept_always"
        " settings_kept_days place_choose_dm place_choose_public place_choose_own"
        " place_choose_dm_more place_choose_public_more place_choose_own_more home_every_kind"
        " home_kind kind_other feedback_wrong feedback_forgot feedback_memory feedback_asked"
        " feedback_length feedback_other feedback_share erase_messages_too "
        + " ".join(KIND_TITLES.values()),
    ),
    "a placeholder": (
        150,
        "form_kind place_channel_choose home_search_example home_kind_choose home_pause"
        " settings_language_label",
    ),
    "a heading": (
        150,
        "memories_title history_title home_questions home_changes home_where home_policy"
        " operations_title",
    ),
    "a label": (
        2_000,
        "home_search memory_title settings_notices"
        " settings_language_label settings_retention place_where place_channel erase_type"
        " erase_messages"
        " feedback_why feedback_comment pause_until"
        " field_request field_liked feedback_share_label prompt_style prompt_formation "
        + " ".join(FIELD_LABELS.values()),
    ),
    "a hint": (
        2_000,
        "place_channel_hint settings_retention_hint form_range form_lines"
        " erase_messages_hint feedback_share_hint example_hint",
    ),
    "a status line": (
        50,
        "status status_waking loading_reading loading_thinking loading_gathering loading_writing"
        " loading_still",
    ),
    "a section": (3_000, "consent_ask erase_ask erase_stays home_kept_where"),
}
# How many characters, at the most, replace a name that is filled in.
ROOM = {"count": 6, "what": 40, "kind": 40, "topic": 30, "other": 30, "food": 30, "word": 5}
ROOM |= {"low": 12, "high": 12, "was": 100}
LIMITED = {key for _, keys in FIELDS.values() for key in keys.split()}


def longest(language: Language, key: str) -> int:
    """Return how long a text can become, its names filled in."""
    return max(
        sum(len(literal) + (ROOM[name] if name else 0) for literal, name, _, _ in parts)
        for parts in ([*Formatter().parse(form)] for form in TEXTS[language][key])
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("field", FIELDS)
def test_texts_fit_where_they_are_shown(language: Language, field: str) -> None:
    """Each text fits the part of Slack that shows it, with what is filled in."""
    limit, keys = FIELDS[field]
    too_long = {key: longest(language, key) for key in keys.split()}
    assert {key: length for key, length in too_long.items() if length > limit} == {}


def test_no_more_loading_lines_than_slack_takes() -> None:
    """Slack takes at most ten, and each is checked as a status line."""
    assert 1 < len(LOADING) <= 10
    assert set(LOADING) <= set(FIELDS["a status line"][1].split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_other_text_fits_a_section_many_times(language: Language) -> None:
    """A section may have 3,000 characters and shows several texts; none exceeds 600."""
    lengths = {key: max(map(len, forms)) for key, forms in TEXTS[language].items()}
    assert {key: length for key, length in lengths.items() if length > 600} == {}


_SHORT_FIELDS = ("plain_text", "button", "option", "input_block", "header")
_VIEWS = ("information_view", "form_view", "payload_view", "sentence_view")


def shown_short() -> Iterator[tuple[str, str]]:
    """Yield each key that a module puts into a short field itself, with the module."""
    for path, tree in sources().items():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = str(getattr(call.func, "id", ""))
            if name in _SHORT_FIELDS:
                for said in (n for n in _given(call) if isinstance(n, ast.Call)):
                    if getattr(said.func, "id", "") == "say":
                        yield from ((key, path) for key in _keys(said.args[1]))
            elif name in _VIEWS and len(call.args) > 1:
                yield from ((key, path) for key in _keys(call.args[1]))
                for keyword in (k for k in call.keywords if k.arg == "submit"):
                    yield from ((key, path) for key in _keys(keyword.value))


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _keys(node: ast.expr) -> list[str]:
    branches = [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]
    return [str(one.value) for one in branches if isinstance(one, ast.Constant)]


def test_no_short_field_is_forgotten() -> None:
    """Each text that a module puts into a short field is named above."""
    found = set(shown_short())
    assert len(found) > 60
    assert {(key, path) for key, path in found if key not in LIMITED} == set()


def test_the_table_names_texts_that_exist() -> None:
    """No key above is without a text."""
    assert set(TEXTS["en"]) >= LIMITED


def test_buttons_and_titles_are_in_title_case() -> None:
    """English buttons, titles of modals and menus are in title case, small words aside."""
    small = {"a", "an", "and", "in", "it", "of", "the", "to", "for", "or", "as", "me"}
    fields = ("a modal's title or button", "a button", "a dialogue's button")
    keys = {key for field in fields for key in FIELDS[field][1].split()}
    for key in keys:
        for text in TEXTS["en"][key]:
            words = [word for word in text.split() if word[0].isalpha()]
            assert words[0][0].isupper(), (key, text)
            wrong = [word for word in words if word not in small and not word[0].isupper()]
            assert wrong == [], (key, text)


def test_no_english_is_left_in_japanese() -> None:
    """Japanese says nothing in English but names, commands and what is typed."""
    names = "Kioku|Slack|AI|PDF|PNG|JPEG|GIF|WebP|MB|ID|Enter|AWS|UTC|json|txt|Web|URL"
    names += "|PostgreSQL|kioku export"
    # The settings of apps at Slack are in English, whatever the workspace's language is.
    settings = (
        "OAuth & Permissions|Bot User OAuth Token|Basic Information|App-Level Tokens|App Manifest"
        "|Install App|Socket Mode|Use it in your Slack|xoxb|xapp|sk-|connections:write|ratelimited"
        "|/memories (?:ex|im)port|manifest.yml|.env|OpenAI|API|https?://[a-z./-]+|[A-Z]+_[A-Z_]+"
    )
    for key, forms in TEXTS["ja"].items():
        for form in forms:
            left = re.sub(r"`[^`]*`|\{\w+\}|/\w+|#general", "", form)
            if key.startswith(("check_", "setup_")):
                left = re.sub(rf"\*[^*]+\*|{settings}", "", re.sub(r"\{\w+\}", "", form))
            left = re.sub(rf"\b(?:{names})\b|{names}", "", left)
            assert not re.search("[A-Za-z]{2,}", left) or key.startswith("usage_"), (key, form)


def test_japanese_is_punctuated_as_japanese() -> None:
    """Japanese has its own commas, stops, quotes, colons and question marks."""
    for key, forms in TEXTS["ja"].items():
        for form in forms:
            bare = re.sub(r"`[^`]*`", "", form)
            assert not re.search("[\u3040-\u30ff\u4e00-\u9fff][,.!?:;]", bare), (key, form)
            assert not re.search("[“”]", bare), (key, form)
            assert "御" not in bare, key


def test_bold_touches_no_japanese_character() -> None:
    """Slack shows the asterisks where they touch a Japanese letter or punctuation outside them.

    The texts of the set-up page are not shown in Slack.
    """
    wrong = {
        key
        for key, forms in TEXTS["ja"].items()
        for form in forms
        for bold in re.finditer(r"\*[^*\n]+\*", form)
        for beside in (form[: bold.start()][-1:], form[bold.end() :][:1])
        if not key.startswith("setup_") and not beside.isascii()
    }
    assert wrong == set()
