"""The catalogues of both languages say the same, and the code uses each of their texts."""

from __future__ import annotations

import ast
import re
from itertools import chain
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Message

import bot
from bot.locale import LANGUAGES, Language, read_catalogue

BOT = Path(bot.__file__).parent
DEPLOY = BOT.parent / "deploy"


def source(language: Language) -> bytes:
    """Return one language's catalogue as people write it."""
    return (BOT / f"locale/{language}/LC_MESSAGES/kioku.po").read_bytes()


def forms_of(message: Message) -> tuple[str, ...]:
    """Return a text's plural forms; of one without, itself."""
    return (
        (message.string,)
        if isinstance(message.string, str)
        else tuple(message.string or ())
    )


def key_of(message: Message) -> str:
    """Return the name of a text, which is also that of its plural."""
    if isinstance(message.id, str):
        return message.id
    [key] = set(message.id)
    return key


TEXTS = {
    language: {key_of(one): forms_of(one) for one in read_catalogue(language) if one.id}
    for language in LANGUAGES
}


def placeholders(text: str) -> set[str]:
    """Return the names a text has filled in."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def sources() -> dict[str, ast.Module]:
    """Return every module that speaks to people, parsed."""
    paths = [*BOT.rglob("*.py"), *DEPLOY.rglob("*.py")]
    return {str(path): ast.parse(path.read_text("utf-8")) for path in paths}


def test_both_languages_say_the_same_things() -> None:
    """English and Japanese have the same keys, in the same order, each of them once."""
    assert TEXTS["en"].keys() ^ TEXTS["ja"].keys() == set(), (
        "these are in one language only"
    )
    assert list(TEXTS["en"]) == list(TEXTS["ja"])
    for language in LANGUAGES:
        keys = re.findall(r'^msgid "(.+)"$', source(language).decode(), re.MULTILINE)
        assert keys == list(TEXTS[language])


def test_both_languages_fill_in_the_same() -> None:
    """A text has the same placeholders in both languages and each form, and none without a name."""
    wrong = []
    for key in TEXTS["en"]:
        forms = [form for language in LANGUAGES for form in TEXTS[language][key]]
        names = [placeholders(form) for form in forms]
        if not all(forms) or "" in names[0] or any(each != names[0] for each in names):
            wrong.append(key)
    assert wrong == []


def test_bold_and_code_are_apart_from_words() -> None:
    """Slack shows the marks of what a letter touches, as it may in Japanese."""
    touched: list[str] = []
    for language in LANGUAGES:
        for form in chain.from_iterable(TEXTS[language].values()):
            for marked in re.finditer(r"\*[^*\n]+\*|`[^`\n]+`", form):
                before = form[: marked.start()][-1:]
                after = form[marked.end() :][:1]
                if before.isalnum() or after.isalnum():
                    touched.append(marked[0])
    assert touched == []


def test_plural_forms_count_something() -> None:
    """A text with plural forms has as many as its language, and says the number."""
    plural = [key for key, forms in TEXTS["en"].items() if len(forms) > 1]
    assert plural
    for key in plural:
        assert [len(TEXTS[language][key]) for language in ("en", "ja")] == [2, 1]
        assert "count" in placeholders(TEXTS["en"][key][0])


def test_every_key_is_used() -> None:
    """A module names each text of the catalogues, or what it begins with."""
    nodes = [node for tree in sources().values() for node in ast.walk(tree)]
    named = {one.value for one in nodes if isinstance(one, ast.Constant)}
    begun = {
        str(start.value)
        for key in nodes
        if isinstance(key, ast.JoinedStr)
        and isinstance(start := key.values[0], ast.Constant)
        if re.fullmatch("[a-z]+_(?:[a-z]+_)*", str(start.value))
    }
    unused = {key for key in TEXTS["en"] if not key.startswith(tuple(begun))} - named
    assert unused == set()


def key_said(node: ast.AST) -> ast.expr | None:
    """Return what names the text in a call of a function or method `say`; None for other nodes."""
    if not isinstance(node, ast.Call):
        return None
    if getattr(node.func, "id", "") == "say":
        return node.args[1]
    return node.args[0] if getattr(node.func, "attr", "") == "say" else None


def test_every_key_that_is_said_exists() -> None:
    """Each call of say that names its text names one of the catalogues, with its placeholders."""
    said = 0
    for path, tree in sources().items():
        for node in ast.walk(tree):
            key = key_said(node)
            if isinstance(node, ast.Call) and isinstance(key, ast.Constant):
                said += 1
                given = {keyword.arg for keyword in node.keywords} - {"beside"}
                assert placeholders(TEXTS["en"][str(key.value)][0]) == given, (
                    path,
                    key.value,
                )
    assert said > 100
