"""Docstrings, comments, sentences, pages, catalogues and names of tests are in plain words.

A line that needs such a word literally ends with the mark ``words: literal`` in a comment. SQL is
not read: a migration that is released is never edited.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
ROOTS = (
    *("memory", "playground", "deploy", "bench", "examples", "bot", "docs", "tests", "evals"),
    *("README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md", "AGENTS.md"),
)
LEFT_OUT = ("docs/media", "docs/benchmarks.md", "docs/gallery.md", "playground/page/vendor")
LITERAL = "words: literal"
# Docstrings may begin with "What" or "Who" here: that of a test is a sentence, not a description.
RIDDLES_ALLOWED = ("tests/", "evals/")
_RIDDLE_FAULT = "begin with a noun or a verb: say what it is or does"
# The values of these keys in TOML files are code, or what people say: no prose of ours.
TOML_LITERAL = ("old", "new", "typed", "quote", "messages", "keep", "allow", "change", "existing")
SENTENCE = re.compile(r"(?:\S+\s+){4}\S")  # a string with five words or more

# What must not be written, and what to write instead.
WORDS = {
    r"\bears?\b": "audience",
    r"\bhears?\b": "receives, or is notified",
    r"\bvoices?\b": "language or tone",
    r"\bdoors?\b": "entry point, or public API",
    r"\bdesks?\b": "what it is",
    r"\bhand(s|ed|ing)? (\w+ ){0,3}over\b": "pass, send or store",
    r"\b(many|other|more|all|whose|\w+'s) hands?\b": "process, writer or person",
    r"\bhouses?\b": "application or package",
    r"\bjourneys?\b": "path or steps",
    r"(?<![-\w])rooms?\b(?! for\b)": "conversation, channel or space",
    r"\bpairs? of eyes\b": "reviewer",
    r"\bbear(s|ing)? on\b": "is relevant to",
    r"\bstands?\b(?!-in)(?! for\b)": "is",
    r"\bstood\b": "was",
    r"\b(is|are|was|were) told of\b": "is notified of",
    r"\bwhoever\b": "the person who, or the operator",
    r"\bso that nobody\b": "so that no one, or the rule itself",
    r"(?<!\bword )\bword for\b(?! word)": "name of",
    r"\bword for word\b": "verbatim",
    r"\bat a stretch\b": "in one run",
    r"\bkeeps? still\b": "does not change",
    r"\brests? on\b": "has as its source",
    r"\banew\b": "again",
    r"\baltogether\b": "completely",
    r"\bmends?\b": "fix",
    r"\bin vain\b": "without effect, or unnecessarily",
    r"\bout of (its|their) sight\b": "unreachable, or not visible",
    r"\b(give|gives|gave|given|giving) (its|their|a) places? back\b": "return its slot",
    r"\b(hold|holds|held|holding) (a|no|all|its|their) places?\b": "occupy a slot",
}
_WORDS = {re.compile(pattern, re.IGNORECASE): plain for pattern, plain in WORDS.items()}
# A docstring is a noun or a verb with its object. "Whose memory" and "What becomes of it" are not.
_RIDDLE = re.compile(r"(What|Who|Whose|Where|When|How)\b")
_JS_CODE = re.compile(r"^(?!\s*//)[^\n]*$", re.MULTILINE)  # lines that are no comment
_CODE = re.compile(r"`[^`\n]*`|\]\([^)\s]*\)|https?://\S+")


def faults_in(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number of each line with a word of the list, and what is wrong."""
    for number, line in enumerate(text.splitlines(), 1):
        if LITERAL in line:
            continue
        prose = _CODE.sub(lambda code: " " * len(code[0]), line)
        for pattern, plain in _WORDS.items():
            if found := pattern.search(prose):
                yield number, f'"{found[0]}": write "{plain}"'


def python_faults(source: str) -> Iterator[tuple[int, str]]:
    """Yield the faults of the docstrings, comments and sentences of a Python file."""
    marked = {n for n, line in enumerate(source.splitlines(), 1) if LITERAL in line}
    docstrings = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text)) as docstring):
                docstrings.add(docstring)
                if _RIDDLE.match(text):
                    yield node.lineno, _RIDDLE_FAULT
            case ast.Constant(value=str(text)) if node in docstrings or SENTENCE.match(text):
                if marked.isdisjoint(range(node.lineno, (node.end_lineno or 0) + 1)):
                    for number, fault in faults_in(text):
                        yield node.lineno + number - 1, fault
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if name.startswith("test_"):
                    said = name.replace("stand_in", "stand-in").replace("_", " ")
                    for _, fault in faults_in(said):
                        yield node.lineno, fault
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            for _, fault in faults_in(token.string):
                yield token.start[0], fault


def toml_faults(source: str) -> Iterator[tuple[int, str]]:
    """Yield the faults of the comments and the prose of a TOML file."""
    marked = {n for n, line in enumerate(source.splitlines(), 1) if LITERAL in line}
    for number, line in enumerate(source.splitlines(), 1):
        if line.startswith("#"):
            for _, fault in faults_in(line):
                yield number, fault
    for text in _strings(tomllib.loads(source)):
        number = source.count("\n", 0, max(source.find(text), 0)) + 1
        if number not in marked:
            for line_number, fault in faults_in(text):
                yield number + line_number - 1, fault


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for one in value:
                yield from _strings(one)
        case dict():
            for key, one in value.items():
                if key not in TOML_LITERAL:
                    yield from _strings(one)


def faults(path: Path) -> list[str]:
    """Return the faults of a file as ``file:line: sentence``."""
    source, name = path.read_text("utf-8"), str(path.relative_to(ROOT))
    found: Iterator[tuple[int, str]]
    match path.suffix:
        case ".py":
            found = python_faults(source)
            if name.startswith(RIDDLES_ALLOWED):
                found = (fault for fault in found if fault[1] != _RIDDLE_FAULT)
        case ".toml":
            found = toml_faults(source)
        case ".js":
            found = faults_in(_JS_CODE.sub("", source))
        case ".po":
            catalogue = read_po(io.BytesIO(source.encode()))
            found = (
                (message.lineno or 0, fault)
                for message in catalogue
                if message.id
                for text in (
                    message.string if isinstance(message.string, tuple) else (message.string,)
                )
                for _, fault in faults_in(str(text))
            )
        case _:
            found = faults_in(source)
    return [f"{name}:{number}: {fault}" for number, fault in sorted(found)]


def files(root: str) -> list[Path]:
    """Return the files of a root that hold prose."""
    top = ROOT / root
    inside = [top] if top.is_file() else sorted(top.rglob("*"))
    return [
        path
        for path in inside
        if path.suffix in {".py", ".md", ".po", ".js", ".toml"}
        and not str(path.relative_to(ROOT)).startswith(LEFT_OUT)
    ]


@pytest.mark.parametrize("root", ROOTS)
def test_words_are_plain(root: str) -> None:
    """No docstring, comment, sentence, page, catalogue or name of a test has a word of the list."""
    assert files(root)
    assert [fault for path in files(root) for fault in faults(path)] == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('"""Whose memory, and for which ears."""', 2),  # words: literal
        ("x = 1  # whoever runs it", 1),  # words: literal
        ('"""Return the memories that bear on the question."""', 1),  # words: literal
        ('"""The stand-in stands for a model: `ears` is a name."""', 0),
        ("rooms = 1  # the room was renamed (words: literal)", 0),
        ('text = "only for the ears of the house"', 2),  # words: literal
        ('house = "ears"', 0),
        ("def test_the_job_begins_anew(): pass", 1),
        ("def test_the_stand_in_answers(): pass", 0),
        ("def test_what_many_hands_change(): pass", 1),
    ],
)
def test_the_rules_find_what_they_are_for(line: str, wrong: int) -> None:
    """Prose and sentences are read, code is not; a marked line may use a word literally."""
    assert len(list(python_faults(line))) == wrong


def test_toml_is_read_without_code_and_what_people_say() -> None:
    """Comments and prose are read, with their lines; code and messages may have any word."""
    source = "# It stands.\nwhy = 'Not anew.'\nold = 'stands'\nquote = 'stands'"  # words: literal
    assert [number for number, _ in toml_faults(source)] == [1, 2]


def test_the_glossary_is_short() -> None:
    """The glossary has fifteen terms at most, in a table, each once."""
    page = (ROOT / "docs/reference/glossary.md").read_text("utf-8")
    terms = re.findall(r"^\| ([a-z][\w -]*) \|", page, re.MULTILINE)
    assert 0 < len(set(terms)) == len(terms) <= 15
