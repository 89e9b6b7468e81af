"""What takes more than to say something and to look: streams, crowds, and HTTP."""

from __future__ import annotations

import pytest

from tests.kioku import Kioku
from tests.person import Place, says
from tests.waiting import wait_until

_LONG = " ".join(f"word{number}" for number in range(600))


def test_an_answer_is_shown_while_it_grows(kioku: Kioku) -> None:
    """Each state is the beginning of the whole answer, which stays."""
    kioku.answers_with(_LONG, "count the words")
    kioku.slack.model("settings", {"token_ms": 30, "chunk_chars": 40})
    said = kioku.person("Dana", 1).say("Please count the words")
    states: set[str] = set()

    def is_whole() -> bool:
        states.update(one["text"] for one in said.below() if one.get("streaming"))
        return "word599" in "".join(said.answers())

    wait_until(is_whole, "the whole answer")
    assert len(states) > 2
    assert all(_LONG.startswith(one.strip()) for one in states)


@pytest.mark.failed_calls(
    "chat.appendStream: stopped_by_user", because="An answer is stopped while it grows."
)
def test_stop_keeps_what_was_shown(kioku: Kioku) -> None:
    """The text stays as it is, and the next message is answered."""
    kioku.answers_with(_LONG, "count the words")
    kioku.slack.model("settings", {"token_ms": 150, "chunk_chars": 40})
    said = kioku.person("Dana", 1).say("Please count the words")

    def growing() -> Place | None:
        found = [one for one in said.below() if "word9 " in one["text"]]
        return found[0] if found else None

    wait_until(growing, "the beginning of an answer")
    place = {"channel": said.channel, "thread_ts": said.thread_ts}
    kioku.slack.control("stop", {"user": said.person.id, **place})
    shown = said.answer()
    assert "word9 " in shown
    assert "word599" not in shown
    kioku.answers_with("Two.", "smallest prime")
    assert "Two." in said.person.say("What is the smallest prime?", under=said).answer()
    assert says(said.below()[0]).startswith(shown.split("\n")[0])


def test_a_long_answer_comes_whole(kioku: Kioku) -> None:
    """Of 25,000 characters with headings, tables and code each part comes once, in order."""
    parts = [_part(number) for number in range(60)]
    kioku.answers_with("".join(parts) + "theend", "the long chronicle")
    said = kioku.person("Dana", 1).say("Write the long chronicle")
    wait_until(lambda: "theend" in "".join(said.answers()), "the end")
    shown = "\n".join(said.answers())
    places = [shown.index(f"mark{number} ") for number in range(60)]
    assert places == sorted(places)
    for number in range(60):
        for word in (f"Part{number}.", f"mark{number} ", f"cell{number} "):
            assert shown.count(word) == 1


def _part(number: int) -> str:
    words = " ".join(f"x{number}y{place}" for place in range(50))
    table = f"| a | b |\n|---|---|\n| cell{number} | c |"
    code = f"```\ncell{number} = 1\n```"
    block = table if number % 2 else code
    return f"## Part{number}.\n\nmark{number} {words}\n\n{block}\n\n"


def test_twenty_people_at_once_are_not_mixed_up(kioku: Kioku) -> None:
    """Each gets their own fact back, and nobody else's."""
    people = [kioku.person(f"Person{number}", 1) for number in range(20)]
    room = kioku.slack.channel("public", *(one.id for one in people))
    codes = [f"Zeta{number}Omega" for number in range(20)]
    told = [
        one.say(f"<@BOT> my badge word is {code}", channel=room)
        for one, code in zip(people, codes, strict=True)
    ]
    for one, code in zip(told, codes, strict=True):
        one.notice(code)
    asked = [one.say("What is my badge word?") for one in people]
    for one, code in zip(asked, codes, strict=True):
        answer = one.answer()
        assert [other for other in codes if other in answer] == [code]


def test_ask_over_http_answers_and_remembers(kioku: Kioku) -> None:
    """A caller is known again, and is nobody else: no other caller, nobody in Slack."""
    assert kioku.ask("MZ0001", "My observatory is called Uraniborg")[0] == 200
    question = "What is my observatory called?"
    wait_until(lambda: "Uraniborg" in kioku.ask("MZ0001", question)[1], "the name")
    assert "Uraniborg" not in kioku.ask("MZ0002", question)[1]
    dana = kioku.person("Dana", 1)
    dana.say("<@BOT> my telescope is called Dorpat").notice("Dorpat")
    assert "Dorpat" not in kioku.ask(dana.id, "What is my telescope called?")[1]


def test_ask_over_http_refuses_what_is_wrong(kioku: Kioku) -> None:
    """A wrong token is 401, a wrong body 400, another method 405, a model that is away 503."""
    assert kioku.ask("MZ0003", "hello", token="wrong")[0] == 401
    assert kioku.ask("mz 3", "hello")[0] == 400
    assert kioku.get("/ask")[0] == 405
    kioku.fails("", status=500)
    assert kioku.ask("MZ0003", "hello there")[0] == 503
