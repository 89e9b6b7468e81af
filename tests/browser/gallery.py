"""Makes docs/gallery.md and its pictures: ``python -m tests.browser.gallery``.

Starts Kioku with its playground and the stand-in model in an empty folder and lives a day of one
person on the page, in English and in Japanese; each surface is pictured light and dark.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from playwright.async_api import Browser, Page, async_playwright

from tests.browser.camera import DESK, THEMES, Camera
from tests.browser.day import SURFACES, Day, Words
from tests.browser.first_minute import LOCALES, STEPS, live_a_first_minute
from tests.browser.setup import system_chromium
from tests.browser.visitor import Playground, Visitor
from tests.kioku_process import running

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "media" / "gallery"
PAGE = ROOT / "docs" / "gallery.md"
MOST_BYTES = 4_000_000
LANGUAGES = {"en": "English", "ja": "日本語"}
PEOPLE = {"en": "Ben", "ja": "Aya"}
SCALE = 1.5


@dataclass(frozen=True)
class Surface:
    """One surface of the gallery: `name` of its files, heading, and what its pictures show."""

    name: str
    title: str
    shows: str

    def files(self, language: str) -> list[str]:
        """The names of its pictures in a language, light first."""
        return [f"{self.name}.{language}.{theme}.webp" for theme in THEMES]


ALL = tuple(Surface(*entry) for entry in SURFACES)


def gallery(surfaces: Sequence[Surface] = ALL) -> str:
    """Return the text of docs/gallery.md."""
    parts = [
        "# What people see",
        "Every surface of Kioku in English and Japanese, light and dark, as the playground's page"
        " shows it: the real app, with the stand-in model. `make gallery` makes this page and its"
        " pictures again. In Slack the same blocks are drawn by Slack: fonts and spacing differ.",
        "## The first minute",
        "A fresh `kioku up`, opened in browsers of three languages. A browser in a language that"
        " Kioku does not have opens in English.",
        *_first_minute(),
    ]
    for surface in surfaces:
        rows = ["| " + " | ".join(LANGUAGES.values()) + " |", "|---" * len(LANGUAGES) + "|"]
        for index, theme in enumerate(THEMES):
            cells = [
                f"![{surface.shows} In {_name(language)}, {theme}.]"
                f"(media/gallery/{surface.files(language)[index]})"
                for language in LANGUAGES
            ]
            rows.append("| " + " | ".join(cells) + " |")
        parts += [f"## {surface.title}", surface.shows, "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def _first_minute() -> Iterator[str]:
    for step, shows in STEPS:
        cells = [
            f"![{shows} In a browser of the language {locale}.]"
            f"(media/gallery/first_{step}.{locale}.light.webp)"
            for locale in LOCALES
        ]
        head = ["| " + " | ".join(LOCALES) + " |", "|---" * len(LOCALES) + "|"]
        yield "\n".join([shows, "", *head, "| " + " | ".join(cells) + " |"])


def pictures(surfaces: Sequence[Surface] = ALL) -> set[str]:
    """Return the names of all files that the page shows."""
    first = {f"first_{step}.{locale}.light.webp" for step, _ in STEPS for locale in LOCALES}
    return first | {file for one in surfaces for code in LANGUAGES for file in one.files(code)}


def _name(language: str) -> str:
    return {"en": "English", "ja": "Japanese"}[language]


_AnyCamera = TypeVar("_AnyCamera", bound=Camera)


async def live_a_day(
    browser: Browser, url: str, language: str, make_camera: Callable[[Page, str], _AnyCamera]
) -> _AnyCamera:
    """Live the day of a person who reads `language`; return the camera that was there."""
    playground = Playground(url)
    people = playground.get("_playground/state")["users"]
    person = next(one["id"] for one in people if one["name"] == PEOPLE[language])
    context = await browser.new_context(
        viewport=DESK,  # type: ignore[arg-type]
        device_scale_factor=SCALE,
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await page.add_init_script(
        f"localStorage.setItem('playground.me', '\"{person}\"');"
        "localStorage.setItem('playground.standIn', '\"hidden\"')"
    )
    await page.goto(url)
    await page.wait_for_selector("[data-ready]")
    camera = make_camera(page, language)
    await Day(Visitor(page, playground), camera, Words.of(language)).live()
    await context.close()
    return camera


async def make(folder: Path) -> int:
    """Picture everything into `folder`; return the bytes of it all."""
    total = 0
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=system_chromium())
        for locale in LOCALES:
            with fresh_kioku() as url:
                camera = await live_a_first_minute(browser, url, locale, folder)
            total += sum(camera.taken.values())
        for language in LANGUAGES:
            with fresh_kioku() as url:
                camera = await live_a_day(
                    browser, url, language, lambda page, code: Camera(page, code, folder)
                )
            total += sum(camera.taken.values())
        await browser.close()
    return total


@contextmanager
def fresh_kioku() -> Iterator[str]:
    """Run `kioku up` in an empty folder; yield the address of its page."""
    home = Path(tempfile.mkdtemp())
    with running(home, "up", PORT="0", KIOKU_DATA_DIR=str(home / "data")) as process:
        yield process.line().rsplit(" ", 1)[1].rstrip("/")
    shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    """Make the gallery; SystemExit when it would weigh more than 4 MB."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        total = asyncio.run(make(folder))
        if total > MOST_BYTES:
            raise SystemExit(f"The pictures have {total} bytes: lower QUALITY or show less.")
        wanted = pictures()
        taken = {file.name for file in folder.glob("*.webp")}
        if wanted != taken:
            raise SystemExit(f"Listed and taken differ: {sorted(wanted ^ taken)}.")
        shutil.rmtree(PICTURES, ignore_errors=True)
        PICTURES.mkdir(parents=True)
        for file in sorted(wanted):
            shutil.copy(folder / file, PICTURES / file)
    PAGE.write_text(gallery(), "utf-8")
    sys.stdout.write(f"docs/gallery.md: {len(wanted)} pictures, {total} bytes\n")


if __name__ == "__main__":
    main()
