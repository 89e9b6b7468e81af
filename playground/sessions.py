"""Which agent sessions the app has left in `processing`."""

import asyncio
from collections.abc import Collection

from playground.records import Json, Thread
from playground.slack import Slack

_LOOK_SECONDS = 0.02


async def settle_sessions(slack: Slack, seconds: float, known: Collection[str]) -> list[Json]:
    """Wait until no session is left in `processing`, or for `seconds`; return those that are.

    Those of the threads `known` (each a ``thread_ts``) are neither waited for nor returned.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := left_processing(slack, known)) and loop.time() < end:  # noqa: ASYNC110 - calls end it
        await asyncio.sleep(_LOOK_SECONDS)
    return left


def left_processing(slack: Slack, known: Collection[str]) -> list[Json]:
    """Return the threads whose session is `processing` though the app has ended its work there.

    Those of every workspace are looked at.

    The app has where it posted or updated a message, or ended a stream, after the session was set,
    and no stream is live. Left out are the threads `known`, and those where a call that sets the
    session to `active` was refused.
    """
    return [
        {"channel": thread.channel, "thread_ts": thread.ts}
        for workspace in (one.workspace for one in slack.workspaces.all)
        for channel, ts in list(workspace.threads)
        if ts not in known
        and (thread := workspace.thread(channel, ts)).session == "processing"
        and thread.worked > thread.session_set
        and not any(one.stream == "live" for one in workspace.replies(channel, ts))
        and not _was_asked(slack, thread)
    ]


def _was_asked(slack: Slack, thread: Thread) -> bool:
    return any(
        call.method == "agents.sessions.setStatus"
        and call.args.get("channel_id") == thread.channel
        and call.args.get("thread_ts") == thread.ts
        and call.args.get("status") == "active"
        and call.time >= thread.session_set
        for call in slack.calls.since(0)
    )
