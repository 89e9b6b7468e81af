"""What a message brings: shown to the model, kept nowhere, and what is not shown is said."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from bot.answering.attachments import FILE_BYTES, reading_files
from bot.answering.context import read_thread
from bot.cancellation import Superseded
from bot.conversation.inbox import store_message, take_message
from bot.locale import say
from bot.slack.client import create_session
from bot.slack.files import FileBytes
from bot.slack.messages import Installation, Message, read_found_message
from tests.databases import naming
from tests.integration.app import App
from tests.integration.messages import changed
from tests.integration.playground_slack import PersonThread

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
PDF = b"%PDF-1.7\nI love natto and my password is hunter2\n%%EOF"


def uploaded(app: App, place: PersonThread, name: str, content: bytes) -> str:
    """Upload a file as a person of the playground; return its id."""
    data = base64.b64encode(content).decode()
    made = app.slack.control(
        "files", {"user": place.user, "name": name, "content": data}
    )
    return str(made["id"])


async def sent(app: App, place: PersonThread, text: str = "", **parts: Any) -> Message:
    """Let a person send files, and answer them."""
    said = app.slack.say(place.user, place.channel, text, **parts)
    message = written(app, place, said["ts"])
    assert await store_message(app.core, message)
    await app.answering.drain(message.thread)
    return message


def posted(app: App, place: PersonThread, ts: str) -> dict[str, Any]:
    """Return a message as Slack stores it."""
    seen = app.slack.seen(place.user, place.channel)
    return next(dict(one) for one in seen if one["ts"] == ts)


def written(app: App, place: PersonThread, ts: str) -> Message:
    """Return a message as the app reads it."""
    message = read_found_message(
        posted(app, place, ts),
        Installation(team_id=app.slack.team_id, bot_user_id="UBOT"),
        channel_id=place.channel,
        is_shared=False,
    )
    assert message is not None
    return message


async def sent_image(
    app: App, place: PersonThread, text: str = "What is in it?"
) -> Message:
    """Let a person send an image that the model can be shown, and answer it."""
    return await sent(app, place, text, file_ids=[uploaded(app, place, "cat.png", PNG)])


def reply(app: App, message: Message) -> str:
    """Return the text of the answer."""
    return str(app.turn(message)["reply"])


def shown(app: App) -> list[dict[str, Any]]:
    """Return what the model was asked last, part by part."""
    content = app.prompts()[-1][-1]["content"]
    return (
        content
        if isinstance(content, list)
        else [{"type": "input_text", "text": content}]
    )


def words_shown(app: App) -> str:
    """Return the text that the model was asked last, below what others wrote."""
    return "\n\n".join(part["text"] for part in shown(app) if "text" in part)


def frame_shown(app: App, name: str) -> list[Any]:
    """Return the lines of a frame in what the model was asked last."""
    [body] = words_shown(app).split(f"<{name}>\n")[1:]
    return [json.loads(line) for line in body.split(f"\n</{name}>")[0].split("\n")]


async def test_the_model_is_shown_images_and_pdfs(app: App) -> None:
    """The bytes go to the model as they are, with the words; the stand-in says what it got."""
    place = app.slack.place()
    ids = [uploaded(app, place, "cat.png", PNG), uploaded(app, place, "paper.pdf", PDF)]
    message = await sent(app, place, "What is in these?", file_ids=ids)
    *_, words, image, paper = shown(app)
    assert words["text"].endswith("\n\nWhat is in these?")
    assert (
        image["image_url"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    )
    assert (paper["filename"], paper["type"]) == ("paper.pdf", "input_file")
    assert base64.b64decode(paper["file_data"].partition(",")[2]) == PDF
    assert f"image (image/png, {len(PNG)} bytes)" in reply(app, message)
    assert f"paper.pdf (application/pdf, {len(PDF)} bytes)" in reply(app, message)


async def told_as(app: App, file: dict[str, Any], content: bytes) -> dict[str, Any]:
    """Let a person send a file of which Slack says so; return what the model is told of it.

    An address of the file that is ``PLACE`` is one at which `content` is.
    """
    place = app.slack.place()
    url = ""
    if content:
        first = await sent(
            app, place, "First.", file_ids=[uploaded(app, place, "a.bin", content)]
        )
        url = first.brought["files"][0]["url_private"]
    file = {name: url if value == "PLACE" else value for name, value in file.items()}
    await sent(app, place, "What is in it?", files=[{"id": "F1", "name": "it", **file}])
    [found] = frame_shown(app, "files")
    return dict(found)


@pytest.mark.parametrize(
    ("file", "content", "text"),
    [
        (
            {"mode": "snippet", "filetype": "python", "url_private": "PLACE"},
            b"print(1)",
            "print(1)",
        ),
        (
            {"mimetype": "text/plain", "url_private": "PLACE"},
            "日本語\n".encode(),
            "日本語\n",
        ),
        (
            {"name": "a.rs", "mimetype": "x/y", "url_private": "PLACE"},
            b"fn main",
            "fn main",
        ),
        (
            {"name": "t.csv", "mimetype": "x/y", "url_private": "PLACE"},
            b"tea,2",
            "tea,2",
        ),
        (
            {"mimetype": "application/json", "url_private": "PLACE"},
            b"[1]",
            "[1]",
        ),
    ],
    ids=["snippet", "text", "code", "table", "json"],
)
async def test_texts_are_told(
    app: App, file: dict[str, Any], content: bytes, text: str
) -> None:
    """Snippets, text files, tables and code are text that the model is told."""
    assert (await told_as(app, file, content))["text"] == text


async def test_an_image_whose_type_slack_does_not_know_yet_is_shown(app: App) -> None:
    """Its first bytes tell it: Slack may send a message before it has looked at the file."""
    file = {"name": "IMG_1.jpg", "mimetype": "", "url_private": "PLACE"}
    assert (await told_as(app, file, PNG))["type"] == "image/png"


async def test_files_form_no_memories_and_are_not_kept(app: App) -> None:
    """Nothing in a file is remembered, and no row holds its content or its address."""
    place = app.slack.place()
    message = await sent(
        app,
        place,
        "Sum this up, please.",
        file_ids=[uploaded(app, place, "natto.pdf", PDF)],
    )
    assert await app.form(message) == []
    kept = json.dumps(app.rows("SELECT * FROM messages"), default=str)
    assert "files-pri" not in kept
    assert base64.b64encode(PDF).decode()[:24] not in kept
    assert "hunter2" not in kept


async def test_a_credential_in_a_text_file_is_not_kept_with_the_answer(
    app: App,
) -> None:
    """The file names the password, the answer only repeats it; Slack shows the whole answer."""
    place = app.slack.place()
    word = "hunt" + "er2024"
    file = uploaded(app, place, "test.sh", f"DB_PASSWORD={word}\n".encode())
    app.script(f"It is {word}.")
    asked = await sent(app, place, "What is needed here?", file_ids=[file])
    assert word in app.request_texts()[-1]
    assert word in app.replies(asked)[0]
    assert reply(app, asked) == "It is [password removed]."
    assert naming(app.database, word) == {}


async def test_a_follow_up_is_asked_without_the_files_before_it(app: App) -> None:
    """The history has a mark where they were, so the model knows that there were some."""
    place = app.slack.place()
    first = await sent_image(app, place)
    later = await app.ask(place, "And which colour?", thread_ts=first.ts)
    assert [part["type"] for part in shown(app)] == ["input_text"]
    assert app.prompts()[-1][-3]["content"] == "What is in it?\n[files]"
    assert "files" not in reply(app, later).casefold()


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ({"mimetype": "application/zip", "name": "all.7z"}, "files_kind"),
        ({"mimetype": "audio/mp4", "subtype": "slack_audio"}, "files_kind"),
        (
            {
                "mimetype": "application/vnd.openxmlformats-officedocument"
                ".wordprocessingml.document",
                "name": "plan.docx",
            },
            "files_kind",
        ),
        ({"mimetype": "image/heic", "name": "IMG_1.HEIC"}, "files_kind"),
        ({"name": "IMG_1.jpg"}, "files_not_now"),
        ({"mimetype": "image/jpeg", "name": "IMG_1.jpg"}, "files_not_now"),
        ({"mimetype": "image/png", "size": FILE_BYTES + 1}, "files_large"),
        ({"mimetype": "image/png", "is_external": True}, "files_gone"),
        ({"mode": "tombstone"}, "files_gone"),
        ({"mode": "hidden_by_limit", "mimetype": "image/png"}, "files_gone"),
        (
            {"mimetype": "image/png", "url_private": "https://elsewhere.invalid/x"},
            "files_gone",
        ),
        (
            {"mimetype": "image/png", "url_private": "{slack}/files-pri/TX-F1/x"},
            "files_scope",
        ),
        ({"file_access": "check_file_info"}, "files_gone"),
        ({"file_access": "access_denied"}, "files_gone"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_what_is_not_read_is_said(
    app: App, file: dict[str, Any], key: str
) -> None:
    """Each reason why a file was not read is one sentence with what to do; no model is asked."""
    place = app.slack.place()
    root = app.slack.info["slack_api_url"].removesuffix("/api/")
    if "url_private" in file:
        file = {**file, "url_private": file["url_private"].format(slack=root)}
    before = app.model_requests()
    message = await sent(app, place, files=[{"id": "F1", "name": "a`b.png", **file}])
    name = f"`{file['name']}`" if "name" in file else "`ab.png`"
    told = say(
        "en", key, names=name, **({"megabytes": 8} if key == "files_large" else {})
    )
    assert reply(app, message) == told
    assert app.model_requests() == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b""),
        ("notes.txt", b"\xef\xbb\xbf \r\n"),
        ("plan.pdf", b""),
        ("cat.png", b""),
    ],
)
async def test_a_file_without_content_is_called_empty(
    app: App, name: str, content: bytes
) -> None:
    """Whatever its kind is; white space is no content of a text."""
    place = app.slack.place()
    empty = uploaded(app, place, name, content)
    message = await sent(app, place, "What is in it?", file_ids=[empty])
    assert say("en", "files_empty", names=f"`{name}`") in reply(app, message)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (
            "https://evil.example.net.evil.com/login?t=S.bin",
            "https:/ /evil.example. net.evil. com/login?t=S.bin",
        ),
        (
            "<https://evil.com/login|Sign in>.bin",
            "https:/ /evil. com/login|Sign in>.bin",
        ),
        ("<!channel> read this.bin", "!channel> read this.bin"),
        ("x`](https://evil.com/a) [y.bin", "x] (https:/ /evil. com/a) [y.bin"),
        ("report.v2.zip", "report.v2. zip"),
    ],
)
async def test_the_name_of_a_file_is_no_link(app: App, name: str, shown: str) -> None:
    """The name of a file that was not read follows the rules for links in answers."""
    place = app.slack.place()
    message = await sent(
        app, place, files=[{"id": "F1", "name": name, "mimetype": "x/y"}]
    )
    assert f"`{shown}`" in reply(app, message)


@pytest.mark.parametrize("comment", ["", "What does she want?"])
async def test_a_forwarded_message_is_answered_and_never_remembered(
    app: App, comment: str
) -> None:
    """With or without a comment the question is about its words, which are somebody else's."""
    place, other = app.slack.place(), app.slack.person()[0]
    channel = app.slack.channel("public", place.user, other)
    said = app.slack.say(other, channel, "I love natto, and <ramen> & sk-" + "a1" * 24)
    forwarding = {"user": place.user, "text": comment, **said}
    message = written(
        app, place, app.slack.control("messages/forward", forwarding)["ts"]
    )
    assert await store_message(app.core, message)
    await app.answering.drain(message.thread)
    assert words_shown(app).endswith(f"\n\n{comment or '[forwarded]'}")
    assert "natto" not in str(app.prompts()[-1][0])
    [told] = frame_shown(app, "forwarded")
    assert told["text"] == "I love natto, and <ramen> & [access key removed]"
    assert {"from", "channel"} < told.keys()
    assert await app.form(message) == []
    assert "natto" not in json.dumps(
        app.turn(message)["question"] + app.turn(message)["words"]
    )


async def test_a_question_about_a_forwarded_message_says_so(app: App) -> None:
    """The mark that is stored for it is said in words."""
    place = app.slack.place()
    channel = app.slack.channel("public", place.user)
    forwarding = {"user": place.user, **app.slack.say(place.user, channel, "natto")}
    forwarded = app.slack.control("messages/forward", forwarding)
    message = written(app, place, forwarded["ts"])
    assert await store_message(app.core, message)
    await app.answering.drain(message.thread)
    asked = await app.ask(place, "don't remember that", thread_ts=message.thread_ts)
    words = say("en", "asked_forwarded")
    assert say("en", "taken_back", words=words) in str(app.shown(asked))


@pytest.mark.parametrize(
    ("words", "meanwhile"),
    [
        ("What is in it?", "waits"),
        ("What is in it?", "is begun"),
        ("What is in it?", "is edited"),
        ("", "waits"),
    ],
)
async def test_a_mention_that_came_without_its_file_is_answered_with_it(
    app: App, words: str, meanwhile: str
) -> None:
    """Slack sends a file with ``message`` alone, which may come after ``app_mention`` and again."""
    place = app.slack.place(channel="public")
    image = uploaded(app, place, "cat.png", PNG)
    said = app.slack.say(place.user, place.channel, f"<@BOT> {words}", file_ids=[image])
    whole = posted(app, place, said["ts"]) | {
        "channel": place.channel,
        "channel_type": "channel",
    }
    bare = {**whole, "type": "app_mention"}
    for name in ("files", "subtype", "channel_type"):
        del bare[name]
    message = app.slack.message(place, ts=said["ts"], thread_ts=said["ts"])
    assert await app.deliver(bare) == 200
    run = None
    if meanwhile == "is begun":
        claimed = await take_message(app.core, message.thread, uuid4())
        assert claimed is not None
        run = claimed.run
    elif meanwhile == "is edited":
        edit = changed(message, f"<@{app.slack.bot_user_id}> What is this?")
        edit["event"]["message"]["files"] = whole["files"]
        await app.note(edit)
    asked = len(app.requests())
    app.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status)"
        " VALUES ('replies', 'answer', %s, 'doing')",
        message.thread,
    )
    for again in (False, True):
        assert await app.deliver(whole) == 200
        ended = app.rows("SELECT id FROM procrastinate_jobs WHERE abort_requested")
        # A job that answers another message of the thread goes on.
        assert len(ended) == (meanwhile == "is begun" and not again)
        if run is not None:
            assert isinstance(await run.read_interruption(), Superseded)
        await app.answering.drain(message.thread)
    assert shown(app)[-1]["type"] == "input_image"
    assert len(app.requests()) == asked + 1
    assert len(app.replies(message)) == 1


@pytest.mark.parametrize(
    ("preview", "names", "is_read"),
    [
        ({"is_msg_unfurl": True, "text": "The launch is on Friday"}, [], True),
        ({"is_msg_unfurl": True, "text": "The launch is on Friday"}, ["cat.png"], True),
        ({"title": "The launch is on Friday"}, ["cat.png"], False),
    ],
    ids=["of a message", "of a message, beside a file", "of a page"],
)
@pytest.mark.parametrize("first", ["What does it say?", ""], ids=["edited", "typed"])
async def test_the_message_that_a_link_leads_to_is_read_once_slack_adds_it(
    app: App, preview: dict[str, Any], names: list[str], is_read: bool, first: str
) -> None:
    """Slack adds it with an event of an edit, perhaps twice; after the answer it is too late.

    The link may have been added by an edit, too.
    """
    link = "https://acme.slack.com/archives/C0AAAAAAA/p1700000000000100"
    text = f"What does <{link}> say?"
    place = app.slack.place()
    files = [uploaded(app, place, name, PNG) for name in names]
    said = app.slack.say(place.user, place.channel, first or text, file_ids=files)
    message = written(app, place, said["ts"])
    assert await store_message(app.core, message)
    whole = posted(app, place, message.ts)
    if first:
        edit = changed(message, text)
        edit["event"]["message"]["files"] = whole.get("files", [])
        await app.note(edit)
    event = changed(replace(message, text=text), text)
    event["event"]["message"] |= {
        "files": whole.get("files", []),
        "attachments": [{"from_url": link, **preview}],
    }
    asked = len(app.requests())
    for _ in range(2):
        await app.note(event)
    for _ in range(2):
        await app.answering.drain(message.thread)
        await app.note(event)
    assert len(app.requests()) == asked + 1
    assert len(app.replies(message)) == 1
    assert ("Friday" in app.request_texts()[-1]) is is_read


async def test_files_beyond_the_memory_for_files_are_not_read(app: App) -> None:
    """While files of other messages take up what a process holds, those of a message are not."""
    message = await sent_image(app, app.slack.place())
    core = replace(app.core, file_bytes=FileBytes(len(PNG)))
    for _ in range(2):
        reading = partial(
            reading_files, core, message.team_id, message.brought["files"]
        )
        async with reading() as first, reading() as second:
            troubles = [file.trouble for file in [*first, *second]]
        assert troubles == [None, "files_not_now"]


LIMITED = {"error": "ratelimited", "retry_after": 600}
BUSY: dict[str, tuple[str, dict[str, Any]]] = {
    "the file": ("url_private", {"status": 429, "retry_after": 600}),
    "the file, without Slack": ("url_private", {"status": 503, "times": None}),
}


@pytest.mark.parametrize(("method", "fault"), BUSY.values(), ids=BUSY)
async def test_a_file_that_cannot_be_read_just_now_is_not_gone(
    app: App, method: str, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate limit or an outage of Slack's is said to pass, to the person and to the model."""
    monkeypatch.setattr("bot.slack.retries.TROUBLE_SECONDS", 0.5)
    place = app.slack.place()
    identity = uploaded(app, place, "cat.png", PNG)
    app.slack.fault(method, **fault)
    message = await sent(app, place, "What is in it?", file_ids=[identity])
    names = "`cat.png`"
    assert reply(app, message).endswith(say("en", "files_not_now", names=names))
    assert say("en", "files_gone", names=names) not in reply(app, message)
    assert "not_now" in app.request_texts()[-1]


async def running_thread(app: App, messages: int) -> tuple[PersonThread, Message]:
    """Let a person write in a channel, then ask the app under it; nothing is answered yet."""
    place = app.slack.place(channel="public", text="The release is called Kingfisher.")
    for number in range(messages):
        app.slack.say(place.user, place.channel, f"line {number}", thread_ts=place.root)
    message = await app.receive(
        place, "<@BOT> What was said here?", thread_ts=place.root
    )
    return place, message


async def test_a_thread_is_read_to_its_newest_message(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page; the first message and the newest stay, and those between are counted."""
    monkeypatch.setattr("bot.answering.context._PAGE", 25)
    _, message = await running_thread(app, 60)
    await app.answering.drain(message.thread)
    seen = app.request_texts()[-1]
    assert "Kingfisher" in seen
    assert "[… 11 messages left out …]" in seen
    read = [number for number in range(60) if re.search(rf"line {number}\b", seen)]
    assert read == [*range(11, 60)]


async def test_a_thread_of_long_messages_is_read_in_small_pages(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is too large is not read, and asked for again with fewer messages."""
    monkeypatch.setattr("bot.answer_limits.PAGE_BYTES", 100_000)
    monkeypatch.setattr("bot.answering.context._SECONDS", 60.0)
    place = app.slack.place(channel="public", text="The release is called Kingfisher.")
    for number in range(20):
        text = f"line {number} " + "words " * 1_000
        app.slack.say(place.user, place.channel, text, thread_ts=place.root)
    asked = app.slack.say(place.user, place.channel, "What?", thread_ts=place.root)
    async with create_session() as session:
        slack = app.slack.api()
        slack.session = session
        thread = await read_thread(slack, app.slack.message(place, ts=asked["ts"]))
    assert thread.trouble is None
    assert [line["text"].split(" words")[0] for line in thread.lines] == [
        "The release is called Kingfisher.",
        *(f"line {number}" for number in range(20)),
    ]


@pytest.mark.parametrize(
    ("fault", "key", "told"),
    [
        (LIMITED, "thread_not_now", "could not read them just now"),
        ({"delay_ms": 3_000}, "thread_not_now", "could not read them just now"),
        ({"delay_ms": 1_300, "times": None}, "thread_long", "too long to be read"),
        ({"error": "thread_not_found"}, "thread_refused", "does not let you read"),
    ],
    ids=str,
)
async def test_why_a_thread_was_not_read_to_its_end_is_said(
    app: App,
    fault: dict[str, Any],
    key: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The person and the model learn it; of what is too long the beginning is shown."""
    monkeypatch.setattr("bot.answering.context._PAGE", 2)
    _, message = await running_thread(app, 6)
    app.slack.fault("conversations.replies", **fault)
    await app.answering.drain(message.thread)
    assert say("en", key) in reply(app, message)
    assert told in app.request_texts()[-1]
    assert ("Kingfisher" in app.request_texts()[-1]) is (key == "thread_long")


async def test_a_short_wait_for_slack_does_not_cost_the_thread(app: App) -> None:
    """Slack is asked again within the two seconds."""
    _, message = await running_thread(app, 2)
    app.slack.fault("conversations.replies", error="ratelimited", retry_after=1)
    await app.answering.drain(message.thread)
    assert "Kingfisher" in app.request_texts()[-1]


async def test_what_is_read_in_part_is_said(app: App) -> None:
    """The person's own: the message, what was forwarded with it, and a text file."""
    place = app.slack.place()
    text = uploaded(app, place, "long.txt", b"a line of text\n" * 10_000)
    said = app.slack.say(place.user, place.channel, "言葉" * 10_000, file_ids=[text])
    message = written(app, place, said["ts"])
    shared = {"is_share": True, "author_name": "Ann", "text": "letters " * 5_000}
    message = replace(message, brought={**message.brought, "attachments": [shared]})
    assert await store_message(app.core, message)
    await app.answering.drain(message.thread)
    cut = [say("en", "cut_message"), say("en", "cut_forwarded"), "`long.txt`"]
    assert say("en", "read_in_part", what=", ".join(cut)) in reply(app, message)
    assert app.request_texts()[-1].count("characters left out") == 3


@pytest.mark.parametrize(
    "how",
    [
        {"status": 400, "times": 2},
        {"event": "failed", "error_code": "image_parse_error"},
    ],
    ids=str,
)
async def test_a_model_that_reads_no_files_answers_without_them(
    app: App, how: dict[str, Any]
) -> None:
    """Where the model refuses a file the words are answered, once; the reply names the file."""
    place = app.slack.place()
    app.stand_in.call(
        "/_model/faults", {"endpoint": "responses", "kind": "reply", **how}
    )
    message = await sent_image(app, place, "I am interested in AWS. Look!")
    assert reply(app, message).endswith(say("en", "files_model", names="`cat.png`"))
    assert "AWS" in words_shown(app)
    assert [part["type"] for part in shown(app)] == ["input_text"]
    assert frame_shown(app, "files") == [{"name": "cat.png", "not_shown": "model"}]


ALERT = {
    "title": "HighErrorRate",
    "text": "5xx at 12 %",
    "fallback": "[FIRING:1] HighErrorRate",
}
TABLE_ROW = [
    {"type": "raw_text", "text": "HighErrorRate"},
    {"type": "raw_text", "text": "12 %"},
]
ROOTS: dict[str, tuple[dict[str, Any], int]] = {
    "an alert": ({"attachments": [ALERT]}, 0),
    "an alert in blocks": (
        {
            "blocks": [
                {"type": "section", "text": {"type": "mrkdwn", "text": "HighErrorRate"}}
            ]
        },
        0,
    ),
    "a forward": (
        {
            "attachments": [
                {"is_share": True, "author_name": "Ann", "text": "HighErrorRate"}
            ]
        },
        0,
    ),
    "a table": (
        {"attachments": [{"blocks": [{"type": "table", "rows": [TABLE_ROW]}]}]},
        0,
    ),
    "a file": (
        {
            "text": "the report",
            "files": [{"id": "F1", "name": "HighErrorRate.pdf", "size": 9}],
        },
        1,
    ),
    "a graph": (
        {"attachments": [{**ALERT, "image_url": "https://x.example/graph.png"}]},
        1,
    ),
    "a text": ({"text": "HighErrorRate"}, 0),
}


@pytest.mark.parametrize("root", ROOTS)
async def test_what_a_thread_begins_with_is_seen_or_said_to_be_unseen(
    app: App, root: str
) -> None:
    """An alert, a forward, a table: the model reads it; what it cannot read is said, once."""
    parts, unread = ROOTS[root]
    place = app.slack.place(channel="public")
    other, _ = app.slack.person(name="Ken Okafor")
    app.slack.control("channels/update", {"channel": place.channel, "add": [other]})
    said = app.slack.say(other, place.channel, **{"text": "", **parts})
    # This is answered by a sentence, without what it is about.
    await app.ask(place, "<@BOT>", thread_ts=said["ts"])
    message = await app.ask(place, "<@BOT> what is it about?", thread_ts=said["ts"])
    [frame] = [
        str(one["content"])
        for one in app.prompts()[-1]
        if "<thread>" in one["content"][:9]
    ]
    line = json.loads(frame.split("\n")[1])
    assert line["from"] == "@Ken Okafor"
    assert "HighErrorRate" in frame
    sentence = say("en", "parts_unread", count=unread)
    assert reply(app, message).endswith(sentence) == bool(unread)
    assert ("not_shown" in line) == bool(unread)
    again = await app.ask(place, "<@BOT> and why?", thread_ts=said["ts"])
    assert "HighErrorRate" in app.request_texts()[-1]
    assert sentence not in app.replies(again)[-1]
