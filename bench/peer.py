"""The bench's side of a peer's process."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.ground import Ground, Running, start
from bench.replies import Reply

_ANSWER_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A system that is measured beside the app."""

    running: Running

    async def turns(self, turns: Sequence[tuple[str, str]]) -> list[Reply]:
        """Let it take all of these (person, text) at the same moment."""
        stdin = self.running.process.stdin
        if stdin is None:
            raise RuntimeError("A peer has no input to write to.")
        stdin.write(json.dumps(list(turns)).encode() + b"\n")
        await stdin.drain()
        return [Reply(**one) for one in json.loads(await self.running.line(_ANSWER_SECONDS))]


@asynccontextmanager
async def open_peer(
    ground: Ground, name: str, *, python: str = sys.executable, **settings: str
) -> AsyncIterator[Peer]:
    """Run ``bench.peers.<name>`` until the context ends."""
    given = {**ground.model_settings(), **settings}
    log = ground.folder / f"{name}.log"
    running = await start("-m", f"bench.peers.{name}", settings=given, log=log, python=python)
    try:
        await running.line()
        yield Peer(running)
    finally:
        if running.process.stdin is not None:
            running.process.stdin.close()
        await running.stop()
