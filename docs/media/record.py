"""Records the moving pictures of the READMEs: ``python docs/media/record.py``.

Starts Kioku with its playground and the stand-in model in an empty folder, plays a story of food, a
promise and a card on the page in Chromium, and writes kioku.webp and kioku.ja.webp beside this
file: Chromium takes each picture as WebP, and they are put into one animated file here
(developers.google.com/speed/webp/docs/riff_container).
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import CDPSession, Page, async_playwright

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT, QUALITY = 1000, 640, 65
MOST_BYTES = 3_000_000
# A locale, a colleague, steps: @ a person, ~ the menu of a memory, ! a click; any other is typed.
STORIES = {
    "kioku": """en-US|Mia|@Ben|I like ramen|What shall I eat today?|/forget ramen
        |!Forget|I like short reviews|I promised Mia the Q3 figures by Friday noon
        |~short reviews|!Show to Colleagues|!Preview as a Colleague|!Close
        |@Mia|How does Ben like reviews?""",
    "kioku.ja": """ja-JP|ミア|@Aya|ラーメンが大好きです!!|今日のランチは何を食べようかな？
        |/forget ラーメン|!忘れる|短いレビューが好きです
        |金曜日の正午までにミアさんに数字を送ると約束しました|~短いレビュー|!同僚に見せる
        |!同僚からの見え方|!閉じる|@ミア|Ayaさんはどんなレビューを好みますか？""",
}
Rectangle = tuple[int, int, int, int]
"""x, y, width, height; x and y are even."""


@dataclass
class Film:
    """Pictures, where they lie on the ones before, how long each is shown (milliseconds)."""

    session: CDPSession
    frames: list[tuple[bytes, Rectangle, int]] = field(default_factory=list)

    async def take(self, milliseconds: int, place: Rectangle = (0, 0, WIDTH, HEIGHT)) -> None:
        """Take a picture; one that looks like the last only makes that one stay longer."""
        x, y, width, height = place
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        shot = await self.session.send(
            "Page.captureScreenshot", {"format": "webp", "quality": QUALITY, "clip": clip}
        )
        picture = base64.b64decode(shot["data"])
        if self.frames and self.frames[-1][0] == picture:
            milliseconds += self.frames.pop()[2]
        self.frames.append((picture, place, milliseconds))

    async def watch(self, page: Page, seconds: float) -> None:
        """Take five pictures a second for so long."""
        for _ in range(round(seconds * 5)):
            await self.take(200)
            await page.wait_for_timeout(120)

    def webp(self) -> bytes:
        """Put the pictures into one animated WebP that repeats."""
        size = _numbers(WIDTH - 1, HEIGHT - 1)
        parts = [_chunk(b"VP8X", b"\x02\0\0\0" + size), _chunk(b"ANIM", b"\xff\xff\xff\xff\0\0")]
        for picture, (x, y, width, height), milliseconds in self.frames:
            head = _numbers(x // 2, y // 2, width - 1, height - 1, milliseconds) + b"\x02"
            parts.append(_chunk(b"ANMF", head + _image(picture)))
        content = b"WEBP" + b"".join(parts)
        return b"RIFF" + struct.pack("<I", len(content)) + content


def _numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(3, "little") for value in values)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _image(picture: bytes) -> bytes:
    """The chunks of a still WebP that hold its pixels."""
    found, position = b"", 12
    while position < len(picture):
        name = picture[position : position + 4]
        length = int(struct.unpack("<I", picture[position + 4 : position + 8])[0])
        end = position + 8 + length + length % 2
        if name in (b"ALPH", b"VP8 ", b"VP8L"):
            found += picture[position:end]
        position = end
    return found


@contextmanager
def kioku(folder: str) -> Iterator[str]:
    """Run `kioku up` in an empty folder; yields the address of its page."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KIOKU_", "SLACK_", "OPENAI_")) and name != "DATABASE_URL"
    }
    # The page names the command as it was started: found on the path it has no folder.
    found = Path(sys.executable).parent
    kept["PATH"] = f"{found}{os.pathsep}{kept['PATH']}"
    settings = {"PYTHONPATH": str(ROOT), **kept, "PORT": "0", "KIOKU_DATA_DIR": folder}
    process = subprocess.Popen(  # noqa: S603 (our own command)
        [found / "kioku", "up"],
        cwd=folder,
        env=settings,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = "" if process.stdout is None else process.stdout.readline()
        if not said.startswith("Kioku is ready"):
            raise SystemExit("Kioku did not start: try `kioku up` by itself.")
        yield said.split()[-1]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


async def _type(page: Page, film: Film, text: str) -> None:
    box = page.locator("#composer-text")
    await box.focus()
    await film.take(300)
    frame = await page.locator("#conversation .composer").bounding_box()
    if frame is None:
        raise SystemExit("The message box is not there.")
    x, y = int(frame["x"]) // 2 * 2, int(frame["y"]) // 2 * 2
    place = (x, y, WIDTH - x, HEIGHT - y)
    for start in range(0, len(text), 3):
        await page.keyboard.type(text[start : start + 3])
        await film.take(110, place)
    await film.take(350)
    await page.keyboard.press("Enter")


async def record(page: Page, steps: list[str]) -> Film:
    """Play a story."""
    film = Film(await page.context.new_cdp_session(page))
    answered = page.locator(".message:not(.live) .markdown")
    for step in steps:
        before, what, name = await answered.count(), step[0], step[1:]
        if what == "@":
            await page.locator(".person", has_text=name).click()
            await page.get_by_role("tab").first.click()
        elif what == "~":
            await page.get_by_role("tab").nth(1).click()
            await page.locator(".home .section", has_text=name).locator(".overflow").click()
        elif what == "!":
            item = page.get_by_role("menuitem", name=name)
            await page.get_by_role("button", name=name, exact=True).or_(item).last.click()
            await page.mouse.move(0, 0)
        else:
            await _type(page, film, step)
            while what != "/" and await answered.count() == before:
                await film.watch(page, 0.2)
        await film.watch(page, 1)
        await page.wait_for_timeout(3000)  # Memories are formed once the person pauses.
        await film.take(1800)
    return film


async def main() -> None:
    """Record every story and write the files."""
    sys.path.insert(0, str(ROOT))
    from tests.browser.setup import system_chromium

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=system_chromium())
        for name, story in STORIES.items():
            locale, colleague, *steps = (one.strip() for one in story.split("|"))
            with tempfile.TemporaryDirectory() as folder, kioku(folder) as url:
                settings = {"first_token_ms": 900, "token_ms": 70, "chunk_chars": 3}
                page = await browser.new_page(
                    viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light"
                )
                await page.request.post(f"{url}/_model/settings", data=settings)
                added = {"name": colleague, "locale": locale}
                made = await page.request.post(f"{url}/_playground/users", data=added)
                user = (await made.json())["id"]
                await page.request.get(f"{url}/_playground/channels/dm/messages?as={user}&only=0")
                await page.goto(url)
                await page.wait_for_selector("[data-ready]")
                film = await record(page, steps)
                await page.close()
            content = film.webp()
            if len(content) > MOST_BYTES:
                raise SystemExit(f"{name}.webp has {len(content)} bytes: lower QUALITY.")
            await asyncio.to_thread((Path(__file__).parent / f"{name}.webp").write_bytes, content)
            seconds = sum(milliseconds for _, _, milliseconds in film.frames) / 1000
            sys.stdout.write(
                f"{name}.webp: {len(film.frames)} pictures, {seconds:.0f} s, {len(content)} bytes\n"
            )
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
