"""The bench's side of a peer's process."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bench.ground import Ground, Running, start

_ANSWER_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One turn of a peer: milliseconds until the text existed, and until it was given back."""

    made: float | None
    ready: float
    reply: str
    error: str


@dataclass(frozen=True, slots=True)
class Peer:
    """A system that is measured beside the app."""

    name: str
    running: Running

    async def ready(self) -> None:
        """Return when it has started."""
        await self.running.line()

    async def turns(self, turns: Sequence[tuple[str, str]]) -> list[Outcome]:
        """Let it take all of these (person, text) at the same moment."""
        return [Outcome(**one) for one in await self._say({"turns": list(turns)})]

    async def call(self, name: str, value: Any) -> Any:
        """Call something else it offers."""
        return await self._say({"call": name, "with": value})

    async def _say(self, asked: Any) -> Any:
        stdin = self.running.process.stdin
        if stdin is None:
            raise RuntimeError("A peer has no input to write to.")
        stdin.write(json.dumps(asked).encode() + b"\n")
        await stdin.drain()
        return json.loads(await self.running.line(_ANSWER_SECONDS))


@asynccontextmanager
async def open_peer(
    ground: Ground, name: str, *, python: str = sys.executable, **settings: str
) -> AsyncIterator[Peer]:
    """Run ``bench.peers.<name>`` until the context ends; it is still starting when it begins."""
    given = {**ground.model_settings(), **settings}
    log = ground.folder / f"{name}.log"
    module = f"bench.peers.{name}"
    running = await start("-m", module, settings=given, log=log, python=python)
    try:
        yield Peer(name, running)
    finally:
        if running.process.stdin is not None:
            running.process.stdin.close()
        await running.stop()
