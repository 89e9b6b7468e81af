"""Takes pictures of parts of the page, light and dark, as small WebP files."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import CDPSession, Locator, Page

THEMES = ("light", "dark")
QUALITY = 62
MARGIN = 8
MOST_PIXELS = 2600
DESK = {"width": 1000, "height": 1000}
PHONE = {"width": 390, "height": 844}


@dataclass
class Camera:
    """What was taken is in `taken`: file name → bytes."""

    page: Page
    language: str
    folder: Path = Path()
    _session: CDPSession | None = None
    taken: dict[str, int] = field(default_factory=dict)

    async def resize(self, *, width: int = 0, height: int = 0) -> None:
        """Give the window another size; without one, its usual size."""
        await self.page.set_viewport_size(
            {"width": width or DESK["width"], "height": height or DESK["height"]}
        )

    async def shoot(
        self,
        name: str,
        *parts: Locator,
        margin: int | None = None,
        themes: Sequence[str] = THEMES,
    ) -> None:
        """Picture the frame around these parts, once in each set of colours."""
        await self.page.mouse.move(2, 2)
        if not await self.page.locator("dialog[open], .menu").count():
            await self.page.evaluate("() => document.activeElement?.blur()")
        for theme in themes:
            await self.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            await self.page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
            clip = await self._frame(parts, margin)
            if self._session is None:
                self._session = await self.page.context.new_cdp_session(self.page)
            shot = await self._session.send(
                "Page.captureScreenshot", {"format": "webp", "quality": QUALITY, "clip": clip}
            )
            content = base64.b64decode(shot["data"])
            file = f"{name}.{self.language}.{theme}.webp"
            await asyncio.to_thread((self.folder / file).write_bytes, content)
            self.taken[file] = len(content)
        await self.page.emulate_media(color_scheme="light")

    async def _frame(self, parts: Sequence[Locator], margin: int | None) -> dict[str, float]:
        for part in (parts[-1], parts[0]):
            await part.evaluate("part => part.scrollIntoView({block: 'nearest'})")
        boxes = [box for part in parts if (box := await part.bounding_box()) is not None]
        if len(boxes) < len(parts):
            raise SystemExit(f"Not to be seen: {parts}.")
        size = self.page.viewport_size or {"width": 0, "height": 0}
        if margin is None:
            margin = MARGIN if await self.page.locator("dialog[open]").count() else 0
        left = max(0.0, min(box["x"] for box in boxes) - margin)
        top = max(0.0, min(box["y"] for box in boxes) - margin)
        right = min(size["width"], max(box["x"] + box["width"] for box in boxes) + margin)
        bottom = min(size["height"], max(box["y"] + box["height"] for box in boxes) + margin)
        bottom = min(bottom, top + MOST_PIXELS)
        return {"x": left, "y": top, "width": right - left, "height": bottom - top, "scale": 1}
