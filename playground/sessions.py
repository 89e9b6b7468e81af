"""Which agent sessions the app has left in `processing`."""

import asyncio

from playground.records import Json, Thread
from playground.slack import Slack

_LOOK_SECONDS = 0.02


async def settle_sessions(slack: Slack, seconds: float) -> list[Json]:
    """Wait until no session is left in `processing`, or for `seconds`; return those that are."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := left_processing(slack)) and loop.time() < end:  # noqa: ASYNC110 - calls end it
        await asyncio.sleep(_LOOK_SECONDS)
    return left


def left_processing(slack: Slack) -> list[Json]:
    """Return the threads whose session is `processing` though the app has ended its work there.

    It has where it posted or updated a message, or ended a stream, after the session was set, and
    no stream is live. Not where a call that sets the session to `active` was refused.
    """
    workspace = slack.workspace
    return [
        {"channel": thread.channel, "thread_ts": thread.ts}
        for channel, ts in list(workspace.threads)
        if (thread := workspace.thread(channel, ts)).session == "processing"
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
