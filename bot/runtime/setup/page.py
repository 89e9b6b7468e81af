"""The setup page as HTML: pure functions; no value that was pasted is ever in it."""

from __future__ import annotations

import re
from html import escape

from bot.locale import Language, known_language, say
from bot.runtime.finding import Finding
from bot.runtime.manifest import manifest_path
from bot.runtime.setup.connect import OPENAI_KEY, STEPS, SlackSetup, Step, create_app_url

KEYS_URL = "https://platform.openai.com/api-keys"
_MARKS = {"OK": "✓", "NOTE": "ℹ", "FIX": "✗"}


def reader_language(accepted: str) -> Language:
    """Return the first language of an Accept-Language header that the app speaks."""
    for tag in accepted.split(","):
        if language := known_language(tag.strip()[:2].lower()):
            return language
    return "en"


def code_page(language: Language, *, wrong: bool) -> str:
    """Return the page that asks for the code of the terminal."""
    problem = _alert(say(language, "setup_wrong_code")) if wrong else ""
    return _page(
        language,
        f"""{problem}<p>{_text(language, "setup_enter_code")}</p>
<form method="get" action="/"><label for="code">{_text(language, "setup_code")}</label>
<input id="code" name="code" required autocomplete="off" spellcheck="false" autofocus
 placeholder="xxxx-xxxx-xxxx"><button>{_text(language, "setup_go_on")}</button></form>""",
    )


def closed_page(language: Language) -> str:
    """Return the page after too many wrong codes."""
    return _page(language, _alert(say(language, "setup_closed")))


def setup_page(language: Language, setup: SlackSetup, code: str, problem: str = "") -> str:
    """Return the steps with their fields, and what the last check found."""
    if not problem and setup.wrong:
        problem = say(language, "setup_look_below")
    steps = [
        _step(language, "setup_app_title", "setup_app", _create_app(language)),
        *(_step(language, one.title, one.text, _field(language, setup, one)) for one in STEPS),
    ]
    return _page(
        language,
        f"""{_alert(problem) if problem else ""}<p>{_text(language, "setup_intro")}</p>
<form method="post" action="/" data-busy="{_text(language, "setup_checking")}">
<input type="hidden" name="code" value="{escape(code)}"><ol>{"".join(steps)}</ol>
<button>{_text(language, "setup_check")}</button>
<p class="soft">{_text(language, "setup_where", folder=setup.folder)}</p></form>""",
    )


def starting_page(language: Language, setup: SlackSetup, *, ready: bool) -> str:
    """Return the page after all was written: that Kioku starts, then where it is."""
    text = _text(language, "setup_ready" if ready else "setup_starting", team=setup.team)
    link = f'<a class="button" href="{escape(setup.app_url)}">{_text(language, "setup_open")}</a>'
    lines = "".join(
        _result(
            setup.found[one.name], say(language, one.label) + ("：" if language == "ja" else ": ")
        )
        for one in STEPS
    )
    return _page(
        language,
        f"""<p role="status"{"" if ready else " data-wait"}>{text}</p>
{f"<p>{link}</p>" if ready else ""}{lines}""",
    )


def _page(language: Language, body: str) -> str:
    title = _text(language, "setup_title")
    return f"""<!doctype html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<link rel="stylesheet" href="/setup.css"><script src="/setup.js" defer></script></head>
<body><main><header><span class="brand" aria-hidden="true" lang="ja">記</span><h1>{title}</h1>
</header>{body}</main></body></html>"""


def _text(language: Language, key: str, **values: object) -> str:
    return re.sub(r"\*(.+?)\*", r"<strong>\1</strong>", escape(say(language, key, **values)))


def _alert(text: str) -> str:
    return f'<p class="alert" role="alert">{escape(text)}</p>'


def _step(language: Language, title: str, text: str, inside: str) -> str:
    return f"<li><h2>{_text(language, title)}</h2><p>{_text(language, text)}</p>{inside}</li>"


def _create_app(language: Language) -> str:
    manifest = escape(manifest_path().read_text("utf-8"))
    label = _text(language, "setup_manifest")
    url = escape(create_app_url())
    return f"""<p><a class="button" href="{url}" target="_blank" rel="noopener">
{_text(language, "setup_create")}</a></p>
<details><summary>{_text(language, "setup_empty_form")}</summary>
<p>{_text(language, "setup_paste_manifest")}</p>
<textarea readonly rows="8" spellcheck="false" aria-label="{label}">{manifest}</textarea>
<button type="button" class="plain" data-copy="{_text(language, "setup_copied")}">
{_text(language, "setup_copy")}</button></details>"""


def _field(language: Language, setup: SlackSetup, step: Step) -> str:
    name = step.name
    found = setup.found.get(name)
    wrong = found is not None and found.level == "FIX"
    has = setup.has(step)
    hint = say(language, "setup_kept") if has else step.looks_like
    link = ""
    if name == OPENAI_KEY:
        link = f'<p><a href="{KEYS_URL}" target="_blank" rel="noopener">{KEYS_URL[8:]}</a></p>'
    return f"""{link}<label for="{name}">{_text(language, step.label)}</label>
<input id="{name}" name="{name}" type="password" autocomplete="off" spellcheck="false"
 placeholder="{escape(hint)}"{"" if has or name == OPENAI_KEY else " required"}
{f' aria-describedby="{name}-found"' if found else ""}{' aria-invalid="true"' if wrong else ""}>
{_result(found, name=f"{name}-found") if found else ""}"""


def _result(found: Finding, label: str = "", name: str = "") -> str:
    shown = f' id="{name}"' if name else ""
    text = escape(f"{_MARKS[found.level]} {label}{found.text}")
    return f'<p class="found {found.level.lower()}"{shown}>{text}</p>'
