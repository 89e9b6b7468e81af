"""The processor time of every pattern and text function grows linearly with the text."""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

import pytest
import regex

from bot.delivery.splitting import break_point, open_table, split_markdown
from bot.pipeline.addresses import links_in
from bot.pipeline.links import LinkFilter
from bot.pipeline.prompt import shortened
from memory.formation.evidence import PersonMessage, TypedMessage, find_evidence, links_not_typed
from tests.unit.test_credentials import HOSTILE

pytestmark = pytest.mark.slow

Pattern: TypeAlias = "re.Pattern[str] | regex.Pattern[str]"
TextFunction: TypeAlias = Callable[[str], object]

SHORT, LONG = 8_000, 40_000
QUICK_SECONDS = 0.02  # below this for SHORT, even quadratic growth costs little for LONG
# Five times the text may take eight times the processor time; quadratic growth takes 25 times.
GROWTH = LONG / SHORT * 1.6
ATTEMPTS = 10  # a busy machine slows single calls; quadratic growth slows every pair
ENOUGH_SECONDS = 20.0  # spent on pairs that are all too slow
MOST_SECONDS = 0.5  # for SHORT: more is too slow, however it grows
UNITS = [
    *("\n", " ", "\t", "\r\n", "a", "1", "A", "é", "e\u0301", "\u0301", "あ", "漢字", "ア、", "。"),
    *("\u200b", "\u200d", "👍🏽", "\u202e", "\ue000", "\ud800"),
    *("(", ")", "[", "]", "{", "<", ">", "](", "[a](", "[](", "[[", "](a", "[a]: ", "]:", "](\n"),
    *("`", "```", "``` ", "`a", "\n```\n", "\n~~~", "~", "~a ", "_", "_a ", "*", "**a", "#"),
    *("\n# a", "## \n\n", "# \n\n", "## 1\n\n"),
    *(".", ". ", "a.", "a. ", "1.", "..", "a.b", "a..", ".a/", "a.com/", "a-", "-", "- ", "--"),
    *(":", "::", ":\n", "a:\n", ": ", "：\n", "/", "//", "://", "a://", "http://", "https://a.b/"),
    *("@", "a@", "@a.", "a@b.c ", "mailto:", "tel:1", "www.", "%", "%41", "&", "&#", "&#0"),
    "&amp;",
    *("|", "|-", "| - ", "a|b\n", "|\n", "-|", "---\n", "> ", "&gt;", "\n> ", "\n&gt; "),
    "&gt;&gt;&gt;",
    *("<@U1", "<@U1|", "<@U1|a> ", "<#C1|", "<!", "<!here|", "<http:a|", "<http:"),
    "<mailto:a@b|c> ",
    *("\\", "\\.", "a\\.", "\\:\\/", '"', "'", '"a ', "=", "a=", "+", "1 ", "1-", "1,", "0x"),
    "\x00",
    *("password: ", "token=", "パスワードは", "AAAA ", "aaaa-", "sk-", "-----BEGIN ", "a " * 8),
    "!? ",
]


def texts(seeds: list[str]) -> Iterator[tuple[str, Callable[[int], str]]]:
    """Yield named ways to make a text of a given length, ended so that a match fails late."""
    for unit in [*UNITS, *seeds]:
        yield repr(unit), partial(repeated, "", unit, "\x01\n")
    for unit in (" ", "\n", "\t"):
        yield f"'a', {unit!r}, 'a'", partial(repeated, "a", unit, "a")
    for seed in seeds:
        for unit in ("a", " ", "\n", "1", "-", ".", "あ"):
            yield f"{seed!r}, {unit!r}", partial(repeated, seed, unit, "")


def repeated(start: str, unit: str, end: str, size: int) -> str:
    """Return a text of `size` characters: a unit over and over, between a start and an end."""
    return start + (unit * size)[: size - len(start) - len(end)] + end


def took(work: TextFunction, text: str) -> float:
    """Return the seconds of processor time that a call takes, without the garbage collector."""
    gc.disable()
    began = time.thread_time()
    try:
        with suppress(ValueError, KeyError, IndexError, RecursionError):
            result = work(text)
            if inspect.isgenerator(result):
                list(result)
        return time.thread_time() - began
    finally:
        gc.enable()


def slow(work: TextFunction, seeds: list[str]) -> str | None:
    """Return the first text for which the time of `work` grows faster than the text."""
    for name, made in texts(seeds):
        first = took(work, made(SHORT))
        if first < QUICK_SECONDS:
            continue
        if first > MOST_SECONDS:
            return f"{name}: {first:.1f} s for {SHORT} characters"
        measured: list[tuple[float, float]] = []
        while len(measured) < ATTEMPTS and sum(map(sum, measured)) < ENOUGH_SECONDS:
            short, long = took(work, made(SHORT)), took(work, made(LONG))
            if long <= short * GROWTH:
                break
            measured.append((short, long))
        else:
            return f"{name}: {measured} s"
    return None


def modules() -> Iterator[Any]:
    """Yield every module of the bot and of memory."""
    for package in ("memory", "bot"):
        for found in pkgutil.walk_packages(
            importlib.import_module(package).__path__, f"{package}."
        ):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def reached(value: Any, depth: int = 4) -> Iterator[Pattern]:
    """Yield the patterns in a value, in what it contains, and in the attributes of a class."""
    contained: list[Any] = []
    if isinstance(value, re.Pattern | regex.Pattern):
        if isinstance(value.pattern, str):
            yield value
    elif isinstance(value, dict):
        contained = list(value.values())
    elif isinstance(value, tuple | list | set | frozenset):
        contained = list(value)
    elif inspect.isclass(value) and value.__module__.startswith(("bot", "memory")):
        contained = [one for name, one in vars(value).items() if not name.startswith("__")]
    for one in contained if depth else ():
        yield from reached(one, depth - 1)


def written_inline(module: Any) -> Iterator[Pattern]:
    """Yield the patterns that a module's functions pass to `re` or `regex` as literals."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re" | "regex" as library)),
                args=[ast.Constant(value=str() as pattern), *_],
            ):
                yield (re if library == "re" else regex).compile(pattern)


def patterns() -> dict[str, Pattern]:
    """Return every pattern by the name of its module and its text."""
    found: dict[str, Pattern] = {}
    for module in modules():
        values = [value for name, value in vars(module).items() if not name.startswith("__")]
        for pattern in [*reached(values), *written_inline(module)]:
            found.setdefault(f"{module.__name__} {pattern.pattern[:60]}", pattern)
    unique = {(one.pattern, one.flags): (name, one) for name, one in reversed(found.items())}
    return dict(sorted(unique.values()))


TEXT_PARAMETERS = frozenset(
    {"text", "url", "address", "word", "words", "reply", "title", "question", "arguments", "body"}
    | {"target", "value", "link", "sentence", "line", "query", "label", "typed"}
)
REQUIRED = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)
# It prints its text.
NOT_OF_TEXT = frozenset({"tell"})


def of_text(function: Any) -> bool:
    """Return whether a function takes a text, and nothing else that is required."""
    if inspect.iscoroutinefunction(function) or function.__name__ in NOT_OF_TEXT:
        return False
    given = list(inspect.signature(function).parameters.values())
    return (
        bool(given)
        and given[0].name in TEXT_PARAMETERS
        and str(given[0].annotation) == "str"
        and not any(one.default is one.empty and one.kind in REQUIRED for one in given[1:])
    )


def functions() -> dict[str, TextFunction]:
    """Return every function of one text, and those of more parameters with some of them."""
    found: dict[str, TextFunction] = {
        f"{module.__name__}.{name}": value
        for module in modules()
        for name, value in vars(module).items()
        if not name.startswith("_")
        if inspect.isfunction(value) and value.__module__ == module.__name__ and of_text(value)
    }
    other = TypedMessage(
        PersonMessage(text="I like https://a.example/x and tea.", channel="D1", ts="1.0")
    )
    found |= {
        "Links.feed": lambda text: (one := LinkFilter()).feed(text) + one.flush(),
        "Links.feed, in pieces": in_pieces,
        "links_in": lambda text: links_in([text]),
        "TypedMessage": typed_message,
        "find_evidence": lambda text: find_evidence(text, [other, typed_message(text)]),
        "links_not_typed": lambda text: links_not_typed({"fact": text}, [other]),
        "links typed": lambda text: links_not_typed("https://b.example/", [typed_message(text)]),
        "split_markdown": lambda text: split_markdown(text, 3_000),
        "break_point": lambda text: break_point(text, len(text) - 1),
        "open_table": lambda text: open_table(f"{text}|\n", "a|b"),
        "open_table, a rule": lambda text: open_table(f"h|h\n{text}x|\n", "a|b"),
        "shortened": lambda text: shortened(text, 1_000),
    }
    return found


def in_pieces(text: str) -> str:
    """Return what `LinkFilter` shows of a text that comes in small pieces."""
    links = LinkFilter()
    shown = [links.feed(text[at : at + 10]) for at in range(0, len(text), 10)]
    return "".join(shown) + links.flush()


def typed_message(text: str) -> TypedMessage:
    """Return a text as a message that formation reads."""
    return TypedMessage(PersonMessage(text=text, channel="D1", ts="1.0"))


PATTERNS, FUNCTIONS = patterns(), functions()
CREDENTIALS = "memory.credentials.detection.find_credentials"
TYPED = "bot.slack.messages.typed"


def test_all_are_found() -> None:
    """The search reaches patterns and functions of both packages."""
    names = " ".join([*PATTERNS, *FUNCTIONS])
    for part in (
        "bot.slack.messages",
        "bot.pipeline.links",
        "bot.delivery.splitting",
        "memory.credentials.detection",
    ):
        assert part in names
    assert {
        CREDENTIALS,
        TYPED,
        "memory.model.text.letters",
        "memory.model.text.clean",
    } <= set(FUNCTIONS)
    assert len(PATTERNS) > 50


def search(pattern: Pattern, text: str) -> None:
    """Search the text, and match it from the start."""
    for _ in pattern.finditer(text):
        pass
    pattern.fullmatch(text)


def test_a_pattern_takes_linear_time(subtests: pytest.Subtests) -> None:
    """Searching, and matching from the start, take time in proportion to the text."""
    for name, pattern in PATTERNS.items():
        with subtests.test(name=name):
            words = set(re.findall(r"[A-Za-z]{2,12}|[\u3041-\u9fff]{1,6}", pattern.pattern))
            assert slow(partial(search, pattern), sorted(words)[:6]) is None


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != TYPED])
def test_a_text_function_takes_linear_time(name: str) -> None:
    """A text function takes time in proportion to its text."""
    assert slow(FUNCTIONS[name], HOSTILE if name == CREDENTIALS else []) is None


def test_the_typed_words_of_a_message_are_found_in_linear_time() -> None:
    """White space at the ends of what was typed is tried once, not from each of its characters."""
    assert slow(FUNCTIONS[TYPED], []) is None


def test_a_megabyte_without_a_space_is_read_at_once() -> None:
    """`LinkFilter` holds back little: small pieces of one endless word are not read again."""
    assert took(in_pieces, "x" * 1_000_000) < 5.0
    assert took(in_pieces, "a.com/" * 40_000) < 5.0
