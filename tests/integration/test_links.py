"""Which addresses of a prompt an answer may link to."""

from __future__ import annotations

from dataclasses import replace

from bot.conversation.inbox import store_message
from tests.integration.app import App
from tests.integration.test_attachments import posted, uploaded
from tests.integration.test_kept import Channel

OTHERS = ("thread", "file", "forwarded", "kept")


def site(name: str) -> str:
    """Return an address that says where it stands."""
    return f"https://{name}.site/x"


async def test_an_answer_links_to_what_the_asker_typed_alone(app: App) -> None:
    """The model names the address of each frame; only the quote of a kept line has its own."""
    channel = Channel(app, "public", "Ben", "Mia")
    await channel.keep(f"The wiki is {site('kept')} now")
    root = channel.say(f"Look at {site('thread')}").ts
    place = channel.say("hello", 1, thread_ts=root)
    await app.ask(place, f"Is {site('earlier')} up?", thread_ts=root)
    notes = uploaded(app, place, "notes.txt", site("file").encode())
    frames = ("question", "earlier", *OTHERS)
    app.script("\n".join(map(site, frames)) + " [k1]")
    asked = f"Compare with {site('question')}"
    said = app.written(place, asked, thread_ts=root, file_ids=[notes])
    brought = {
        "files": posted(app, place, said.ts)["files"],
        "attachments": [{"is_share": True, "text": site("forwarded")}],
    }
    message = replace(said, brought=brought)
    assert await store_message(app.core, message)
    await app.answering.drain(message.thread)
    prompt = str(app.prompts()[-1])
    assert [one for one in frames if site(one) not in prompt] == []
    answer, _, quote = app.replies(message)[-1].partition("\n\n")
    assert answer.split("\n") == [
        site("question"),
        site("earlier"),
        *(f"https:/ /{name}. site/x" for name in OTHERS),
    ]
    assert f"The wiki is {site('kept')} now" in quote
