"""Records the pictures of the pages: ``python docs/media/record.py``, for both languages.

Starts Kioku with its playground and the stand-in model in an empty folder, plays a story of work on
the page in Chromium, and writes beside this file kioku.webp, the moving picture of the README, and
the stills that the story names, such as notice.webp; in Japanese kioku.ja.webp, notice.ja.webp.
Chromium takes each picture as WebP, and they are put into one animated file here
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import CDPSession, FloatRect, Locator, Page, async_playwright

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 1000
HEIGHT = 640
QUALITY = 50
MOST_BYTES = 1_000_000
# The end of the files' names, then a locale, a colleague and the steps: @ a person, ~ the menu of a
# memory, ! a click, = a still of this name, # the end of the film and a channel, > a question to
# the app there, whose thread is opened; any other is typed.
STORIES = {
    "": """en-US|Mia|@Ben|I hate meetings before 10am|When shall we have the design meeting?
        |My manager is Sarah|=notice|I promised Mia the Q3 figures by Friday noon
        |~hate meetings|=home|!Use Everywhere|@Ben|/forget manager|=forget|!Forget
        |#platform|@Mia|#platform|>remember for this channel: the staging database is orion
        |!Keep My Message|@Ben|#platform|>which staging database do we have?|=kept""",
    ".ja": """ja-JP|ミア|@Aya|午前10時より前の会議は苦手です|デザイン会議はいつがいい？
        |上司は佐藤さんです|=notice|金曜日の正午までにミアさんに数字を送ると約束しました
        |~午前10時|=home|!どこでも使う|@Aya|/forget 上司|=forget|!忘れる
        |#platform|@ミア|#platform|>このチャンネルのために覚えて：検証用データベースはオリオンです
        |!残す|@Aya|#platform|>検証用データベースはどれですか？|=kept""",
}
# A still shows the three newest messages, and nothing of the frame of the message box below them.
STILL_MESSAGES = 3
FOCUS_RING = 4
Rectangle = tuple[int, int, int, int]
"""x, y, width, height; x and y are even."""


@dataclass
class Film:
    """Pictures, where they lie on the ones before, how long each is shown (milliseconds)."""

    session: CDPSession
    ended: bool = False
    frames: list[tuple[bytes, Rectangle, int]] = field(default_factory=list)

    async def take(
        self, milliseconds: int, place: Rectangle = (0, 0, WIDTH, HEIGHT)
    ) -> None:
        """Take a picture; one that looks like the last only makes that one stay longer."""
        if self.ended:
            return
        x, y, width, height = place
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        picture = await _picture(self.session, clip)
        if self.frames and self.frames[-1][0] == picture:
            milliseconds += self.frames.pop()[2]
        self.frames.append((picture, place, milliseconds))

    async def watch(self, page: Page, seconds: float) -> None:
        """Take two pictures a second for so long."""
        for _ in range(round(seconds * 2)):
            await self.take(500)
            await page.wait_for_timeout(400)

    def webp(self) -> bytes:
        """Put the pictures into one animated WebP that repeats."""
        size = _numbers(WIDTH - 1, HEIGHT - 1)
        parts = [
            _chunk(b"VP8X", b"\x02\0\0\0" + size),
            _chunk(b"ANIM", b"\xff\xff\xff\xff\0\0"),
        ]
        for picture, (x, y, width, height), milliseconds in self.frames:
            head = (
                _numbers(x // 2, y // 2, width - 1, height - 1, milliseconds) + b"\x02"
            )
            parts.append(_chunk(b"ANMF", head + _image(picture)))
        content = b"WEBP" + b"".join(parts)
        return b"RIFF" + struct.pack("<I", len(content)) + content


async def _picture(session: CDPSession, clip: Mapping[str, object]) -> bytes:
    options: dict[str, object] = {"format": "webp", "quality": QUALITY, "clip": clip}
    shot = await session.send("Page.captureScreenshot", options)
    return base64.b64decode(shot["data"])


def _numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(3, "little") for value in values)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _image(picture: bytes) -> bytes:
    """The chunks of a still WebP that hold its pixels."""
    found = b""
    position = 12
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
        if not name.startswith(("KIOKU_", "SLACK_", "OPENAI_"))
        and name != "DATABASE_URL"
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


async def _box(part: Locator) -> FloatRect:
    """Return where a part of the page is."""
    box = await part.bounding_box()
    if box is None:
        raise SystemExit(f"This is not on the page: {part}")
    return box


async def _type(page: Page, film: Film, text: str) -> None:
    box = page.locator("#composer-text")
    await box.focus()
    await film.take(300)
    frame = await _box(page.locator("#conversation .composer"))
    x = int(frame["x"]) // 2 * 2
    y = int(frame["y"]) // 2 * 2
    place = (x, y, WIDTH - x, HEIGHT - y)
    for start in range(0, len(text), 6):
        await page.keyboard.type(text[start : start + 6])
        await film.take(220, place)
    await film.take(350)
    await page.keyboard.press("Enter")


async def _still(page: Page, film: Film) -> bytes:
    """Take a still, in twice the size, of the dialog, the Home tab or the newest messages."""
    panes = page.locator(
        ":is(#conversation, #side) :is(.scroller, .page), dialog[open]"
    )
    shown = panes.locator("visible=true").last
    pane = await _box(shown)
    top = pane["y"]
    messages = shown.locator(".messages > .message:visible")
    if count := await messages.count():
        oldest = await _box(messages.nth(max(0, count - STILL_MESSAGES)))
        top = max(top, oldest["y"])
    bottom = pane["y"] + pane["height"] - FOCUS_RING
    if count:
        newest = await _box(messages.last)
        bottom = min(bottom, newest["y"] + newest["height"] + FOCUS_RING)
    clip = {**pane, "y": top, "height": bottom - top, "scale": 2}
    return await _picture(film.session, clip)


async def _go_to_channel(page: Page, name: str) -> None:
    """Choose a channel, which everybody is in."""
    place = page.locator(".place", has_text=name)
    if not await place.count():
        state = await (await page.request.get(f"{page.url}_playground/state")).json()
        members = [user["id"] for user in state["users"] if not user["is_bot"]]
        channel = {"kind": "public", "name": name, "members": members}
        await page.request.post(f"{page.url}_playground/channels", data=channel)
    await place.click()


async def _ask_in_thread(page: Page, question: str) -> None:
    """Mention the app in a channel, and open the thread once it has answered."""
    threads = page.locator("#conversation .replies")
    before = await threads.count()
    box = page.locator("#composer-text")
    await box.fill(f"@Kioku {question}")
    await box.press("Enter")
    await threads.nth(before).click()


async def record(page: Page, steps: list[str], ending: str) -> Film:
    """Play a story; write its stills."""
    film = Film(await page.context.new_cdp_session(page))
    answered = page.locator(".message:not(.live) .markdown")
    for step in steps:
        before = await answered.count()
        what = step[0]
        name = step[1:]
        if what == "=":
            file = Path(__file__).parent / f"{name}{ending}.webp"
            await asyncio.to_thread(file.write_bytes, await _still(page, film))
            continue
        if what == "@":
            await page.locator(".person", has_text=name).click()
            await page.locator(".place").first.click()
            await page.get_by_role("tab").first.click()
        elif what == "~":
            await page.get_by_role("tab").nth(1).click()
            await (
                page.locator(".home .section", has_text=name)
                .locator(".overflow")
                .click()
            )
        elif what == "#":
            film.ended = True
            await _go_to_channel(page, name)
        elif what == ">":
            await _ask_in_thread(page, name)
        elif what == "!":
            item = page.get_by_role("menuitem", name=name)
            await (
                page.get_by_role("button", name=name, exact=True).or_(item).last.click()
            )
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
        for ending, story in STORIES.items():
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
                await page.request.get(
                    f"{url}/_playground/channels/dm/messages?user={user}"
                )
                await page.goto(url)
                await page.wait_for_selector("[data-ready]")
                film = await record(page, steps, ending)
                await page.close()
            content = film.webp()
            name = f"kioku{ending}.webp"
            if len(content) > MOST_BYTES:
                raise SystemExit(f"{name} has {len(content)} bytes: lower QUALITY.")
            await asyncio.to_thread((Path(__file__).parent / name).write_bytes, content)
            seconds = sum(milliseconds for _, _, milliseconds in film.frames) / 1000
            sys.stdout.write(
                f"{name}: {len(film.frames)} pictures, {seconds:.0f} s, {len(content)} bytes\n"
            )
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
