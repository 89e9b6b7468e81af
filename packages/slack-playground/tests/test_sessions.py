"""Agent sessions: their status, title and Stop button, and which the app left in `processing`."""

from __future__ import annotations

from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from .driver import Driver, Json
from .test_streams import begin


async def set_status(
    client: AsyncWebClient, said: Json, status: str, **more: Any
) -> Any:
    """Set the status of the session of a message's thread."""
    return await client.agents_sessions_setStatus(
        channel_id=said["channel"], thread_ts=said["ts"], status=status, **more
    )


async def test_a_stream_sets_the_session(
    driver: Driver, client: AsyncWebClient
) -> None:
    """A stream makes its session `processing`; its end `active`, or what `session_status` says."""
    ends: list[tuple[Json, str]] = [
        ({}, "active"),
        ({"session_status": "processing"}, "processing"),
    ]
    for end, status in ends:
        said = await driver.say("hi")
        stream = await begin(client, said)
        begun = await driver.thread(said["ts"])
        assert begun["session"] == "processing"
        await client.chat_stopStream(**stream, **end)
        assert (await driver.thread(said["ts"]))["session"] == status


async def left(driver: Driver) -> list[Json]:
    """Return the sessions that the app left in `processing`."""
    answer = await driver.post("sessions/settle", seconds=0)
    found: list[Json] = answer["left_processing"]
    return found


async def test_a_session_left_in_processing_is_found(
    driver: Driver, client: AsyncWebClient
) -> None:
    """Unless known, it is listed once the app has posted in its thread, until it is `active`."""
    said = await driver.say("hi")
    await set_status(client, said, "processing")
    assert await left(driver) == []
    await client.chat_postMessage(
        channel=said["channel"], thread_ts=said["ts"], text="ho"
    )
    assert await left(driver) == [{"channel": said["channel"], "thread_ts": said["ts"]}]
    answer = await driver.post("sessions/settle", seconds=0, known=[said["ts"]])
    assert answer["left_processing"] == []
    await set_status(client, said, "active")
    assert await left(driver) == []
