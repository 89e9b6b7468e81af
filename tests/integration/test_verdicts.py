"""The verdict: one request for all proposals of a run, and what each of its fields decides."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from langchain_core.language_models import BaseChatModel

from memory import (
    ChangeGone,
    Former,
    answer_question,
    list_memories,
    memory_model,
)
from memory.embeddings.embedder import Embedder
from memory.formation import take_back
from memory.formation.commit import FormationResult
from memory.model.errors import FormationUnavailable
from memory.model.namespace import DM, PUBLIC, Person, memory_view
from memory.model.person_message import PersonMessage
from memory.postgres.database import Pool
from tests.databases import owner_rows
from tests.integration.responses_server import counted_tokens
from tests.integration.scripted_model import (
    Call,
    ScriptedModel,
    Shown,
    asked_text,
    fact,
    food,
    patch,
    proposals_in,
    remove,
    verdict,
)
from tests.integration.test_formation import Trial, reasons, rows
from tests.integration.test_formation import trial as trial
from tests.memories import add_memory

ALICE = Person("T1", "U1")
ALICE_DM = memory_view(ALICE.namespace(DM))
TOKYO = ZoneInfo("Asia/Tokyo")
FRIDAY = datetime(2099, 1, 16, 3, tzinfo=UTC)  # noon in Tokyo
END = datetime(2099, 1, 19, 15, tzinfo=UTC)  # of the next Monday, in Tokyo


def typed(
    *texts: str, at: datetime = FRIDAY, reply_to: str | None = None
) -> list[PersonMessage]:
    """Return messages of one DM, a second apart, by somebody in Tokyo."""
    return [
        PersonMessage(
            text=text,
            channel="D1",
            ts=f"{(at + timedelta(seconds=i)).timestamp():.6f}",
            zone=TOKYO,
            reply_to=reply_to,
        )
        for i, text in enumerate(texts)
    ]


def verifying(
    pool: Pool,
    embedder: Embedder,
    model: ScriptedModel,
    name: str = "scripted",
    **options: Any,
) -> Former:
    """Return a former with the verifier that a test wants."""

    def chat() -> BaseChatModel:
        return memory_model(model=name, api_key="none", base_url=model.base_url)

    return Former(pool, embedder, chat, **options)


async def facts(database: str) -> list[str]:
    """Return the stored facts, sorted."""
    found = [
        *await rows(database),
        *await rows(database, ALICE.namespace(PUBLIC)),
    ]
    return sorted(str(row["value"]["content"].get("fact")) for row in found)


async def test_one_request_judges_all_proposals_of_a_run(trial: Trial) -> None:
    """Each field decides on its own proposal, in one run and one request."""
    said = [
        "My dog's name is Rex.",
        "A colleague is on leave.",
        "I used to live in Bergen.",
        "If I were rich I would own a boat.",
        "Do I like jazz?",
        "Oh great, I just love meetings.",
        "Please book me a table.",
        "I studied in Kyoto.",
        "I have two kids.",
        "I collect stamps.",
    ]
    trial.model.answer([fact(one.rstrip(".?"), one) for one in said[:8]])
    trial.model.verdicts.append(
        {
            1: {"about": "other"},
            2: {"modality": "past"},
            3: {"modality": "hypothetical"},
            4: {"modality": "question"},
            5: {"modality": "joke"},
            6: {"modality": "request"},
        }
    )
    formed = await trial.form(typed(*said))
    assert [change.action for change in formed.changes] == ["remembered"] * 2
    assert await facts(trial.database) == ["I studied in Kyoto", "My dog's name is Rex"]
    assert reasons(formed) == [
        "other_person",
        *["not_asserted"] * 5,
    ]
    assert [one.sentence for one in formed.refused] == said[1:7]
    assert (len(trial.model.requests), len(trial.model.verdict_requests)) == (1, 1)


async def test_what_is_not_supported_or_has_no_verdict_is_not_stored(
    trial: Trial,
) -> None:
    """An entry that does not fit the schema is no verdict, nor is one for an unknown index.

    A day or time of another form costs that field alone. Optional fields, and a conflict with
    nothing, may be left out, null or "".
    """
    said = [
        "I live in Oslo.",
        "I play chess.",
        "I ski.",
        "I own a kayak.",
        "I row.",
        "I sing.",
    ]
    trial.model.answer([fact(one, one) for one in said])
    short = verdict(3)
    del short["sensitive"]
    del short["conflict"]
    entries = [
        verdict(0, supported=False),
        verdict(1, modality="sung"),
        verdict(2, valid_until="2099-02-30"),
        short,
        verdict(4, sensitive=None, conflict=None, valid_until=""),
        *(verdict(7), verdict(-1), "nonsense"),
    ]
    trial.model.verdicts.append(json.dumps({"verdicts": entries}))
    formed = await trial.former.form(memory_view(ALICE.namespace(PUBLIC)), typed(*said))
    assert await facts(trial.database) == ["I own a kayak.", "I row.", "I ski."]
    assert reasons(formed) == ["unsupported", *["unusable"] * 2]
    assert formed.questions == ()
    assert len(trial.model.verdict_requests) == 1


async def test_what_the_verdict_sees(trial: Trial) -> None:
    """Each proposal with its values, old content, sentences, question; the date and the zone.

    The day of words is said if it is not that of the last ones.
    """
    await trial.know(food("ラーメン", 80, "ラーメンが好きです", cuisine="和食"))
    said = typed(
        "今日は疲れた。味噌ラーメンが一番<好き>です！また明日。\nDemain.",
        reply_to="何が好きですか？",
    )
    eve = typed("Je déteste les champignons.", at=FRIDAY - timedelta(days=1))
    trial.model.answer(
        lambda shown: [
            patch(
                shown.id_of("ラーメン"), preference=95, evidence="味噌ラーメンが一番"
            ),
            food("champignons", 5, "je déteste les champignons"),
        ]
    )
    trial.model.verdict_requests.clear()
    await trial.form([*eve, *said])
    (request,) = trial.model.verdict_requests
    assert "MemoryVerdicts" in request["input"][0]["content"]
    assert request["input"][0]["role"] == "system"
    assert [tool["name"] for tool in request["tools"]] == ["MemoryVerdicts"]
    assert request["store"] is False
    text = asked_text(request)
    assert '{"date": "2099-01-16", "weekday": "Friday", "time": ' in text
    assert '"zone": "Asia/Tokyo"}' in text
    assert "味噌ラーメンが一番" in text
    assert "déteste" in text
    assert "<好き>" not in text
    assert "<typed>" not in text
    changed, added = proposals_in(request)
    assert changed == {
        "index": 0,
        "change": "change",
        "kind": "UserFoodPreference",
        "values": {"preference": 95},
        "old": {"food_name": "ラーメン", "cuisine": "和食", "preference": 80},
        "sentence": "味噌ラーメンが一番<好き>です！",
        "before": "Je déteste les champignons.\n今日は疲れた。",
        "after": "また明日。\nDemain.",
        "question": "何が好きですか？",
    }
    assert added["change"] == "add"
    assert added["old"] is None
    assert added["values"] == {"food_name": "champignons", "preference": 5}
    assert added["sentence"] == "Je déteste les champignons."
    assert added["said_on"] == "2099-01-15"


@pytest.mark.parametrize("takes_back", [True, False])
async def test_a_removal_needs_the_verdict(trial: Trial, takes_back: bool) -> None:
    """A quote may be missing: the verdict sees all that was typed, and decides."""
    await trial.know(food("viande", 80, "J'adore la viande"))
    trial.model.answer(lambda shown: [remove(shown.id_of("viande"))])
    trial.model.verdicts.append({0: {"supported": takes_back}})
    trial.model.verdict_requests.clear()
    formed = await trial.form(
        typed("Au fait, j'ai changé d'avis.", "Je ne mange plus de viande.")
    )
    assert (
        '<typed>\n"Au fait, j\'ai changé d\'avis."\n"Je ne mange plus de viande."\n</typed>'
        in asked_text(trial.model.verdict_requests[0])
    )
    (proposed,) = trial.model.proposed
    assert (proposed["change"], proposed["old"]["food_name"]) == ("remove", "viande")
    assert len(await trial.rows()) == (0 if takes_back else 1)
    assert reasons(formed) == ([] if takes_back else ["unsupported"])
    if takes_back:
        [removed] = formed.changes
        assert (removed.action, removed.after) == ("removed", None)


@pytest.mark.parametrize("modality", ["request", "past"])
async def test_level_zero_is_a_removal_too(trial: Trial, modality: str) -> None:
    """A level that falls to 0 is judged as a removal; a request and what is over may remove."""
    await trial.know(food("pasta", 80, "I like pasta"))
    trial.model.answer(
        lambda shown: [
            patch(shown.id_of("pasta"), preference=0, evidence="forget the pasta")
        ]
    )
    trial.model.verdicts.append({0: {"modality": modality}})
    formed = await trial.form(typed("Please forget the pasta thing"))
    assert trial.model.proposed[0]["change"] == "remove"
    assert [change.action for change in formed.changes] == ["removed"]
    assert await trial.rows() == []


@pytest.mark.parametrize("is_deleted", [True, False])
@pytest.mark.parametrize(("number", "back"), [(0, {"viande", "thé"}), (1, set())])
async def test_a_removal_goes_with_the_words_that_it_quotes(
    trial: Trial, number: int, back: set[str], is_deleted: bool
) -> None:
    """And not with another message of the run that is edited or deleted, such as the newest."""
    await trial.know(food("viande", 80, "la viande"), food("thé", 80, "le thé"))
    said = typed("Je ne mange plus de viande. Le thé non plus.", "Merci !")
    trial.model.answer(
        lambda shown: [
            remove(shown.id_of("viande"), evidence="plus de viande"),
            remove(shown.id_of("thé"), evidence="Le thé non plus"),
        ]
    )
    await trial.form(said)
    assert await trial.rows() == []
    message = (said[number].channel, said[number].ts)
    former = trial.former
    await take_back(former.pool, former.embedder, ALICE, message, is_deleted=is_deleted)
    found = await trial.rows()
    assert {row["value"]["content"]["food_name"] for row in found} == back


@pytest.mark.parametrize("by_level", [False, True])
async def test_words_the_person_was_asked_about_remove_nothing(
    trial: Trial, by_level: bool
) -> None:
    """What a button asks about is decided by the click, not by the words again."""
    await trial.know(food("pasta", 80, "I like pasta"))

    def take_back(shown: Shown) -> list[Call]:
        pasta = shown.id_of("pasta")
        return [
            patch(pasta, preference=0, evidence="forget that")
            if by_level
            else remove(pasta)
        ]

    trial.model.answer(take_back)
    said = [
        replace(one, removal_proposed=True) for one in typed("forget that I like pasta")
    ]
    trial.model.verdict_requests.clear()
    formed = await trial.form(said)
    assert reasons(formed) == ["unusable"]
    assert trial.model.verdict_requests == []
    assert len(await trial.rows()) == 1


async def test_requests_are_for_instructions(trial: Trial) -> None:
    """A wish about answers is a request by nature; a fact that is only requested is not stored."""
    said = "Please answer in bullet points from now on"
    trial.model.answer(
        [
            (
                "UserInstruction",
                {"instruction": "Answer in bullet points", "evidence": said},
            ),
            fact("wants bullet points", said),
        ]
    )
    trial.model.verdicts.append(
        {0: {"modality": "request"}, 1: {"modality": "request"}}
    )
    formed = await trial.form(typed(said))
    assert [change.kind for change in formed.changes] == ["UserInstruction"]
    assert reasons(formed) == ["not_asserted"]


@pytest.mark.parametrize(
    ("until", "ends", "refused"),
    [
        ("2099-01-19", [END], []),
        (None, [None], []),
        ("9999-12-31", [None], []),
        ("2020-01-03", [], ["not_asserted"]),
    ],
)
async def test_valid_until_holds_through_that_day_where_the_person_is(
    trial: Trial, until: str | None, ends: list[str | None], refused: list[str]
) -> None:
    """The day ends at midnight in Tokyo, at 15:00 UTC; no day, no end; a day before: refused."""
    trial.model.answer([fact("is in Osaka", "Ich bin bis Montag in Osaka")])
    trial.model.verdicts.append({0: {"valid_until": until}})
    formed = await trial.form(typed("Ich bin bis Montag in Osaka"))
    assert [row["expires_at"] for row in await trial.rows()] == ends
    assert reasons(formed) == refused


@pytest.mark.parametrize(
    ("conflict", "stored", "asked"),
    [("none", 20, 0), ("replaces", 20, 0), ("unclear", 80, 1)],
)
async def test_an_unclear_conflict_is_a_question(
    trial: Trial, conflict: str, stored: int, asked: int
) -> None:
    """`unclear` leaves the row as it is and asks; the others change it."""
    await trial.know(food("pasta", 80, "I like pasta"))
    trial.model.answer(
        lambda shown: [
            patch(shown.id_of("pasta"), preference=20, evidence="pasta, hmm")
        ]
    )
    trial.model.verdicts.append({0: {"conflict": conflict}})
    formed = await trial.form(typed("pasta, hmm"))
    assert [question.asks for question in formed.questions] == ["replace"] * asked
    (row,) = await trial.rows()
    assert row["value"]["content"]["preference"] == stored


SENSITIVE = [
    # policy, audience, about, what becomes of it
    (None, DM, "speaker", "stored"),
    (None, DM, "other", "asked"),
    (None, PUBLIC, "speaker", "asked"),
    ("store", PUBLIC, "speaker", "stored"),
    ("store", DM, "other", "asked"),
    ("ask", DM, "speaker", "asked"),
    ("never", DM, "speaker", "refused"),
    ("never", DM, "other", "refused"),
]


@pytest.mark.parametrize(("policy", "audience", "about", "becomes"), SENSITIVE)
async def test_sensitive_matters(
    pool: Pool,
    model_embedder: Embedder,
    model: ScriptedModel,
    database: str,
    policy: Any,
    audience: str,
    about: str,
    becomes: str,
) -> None:
    """KIOKU_SENSITIVE: stored, asked or never; unset it depends on where and of whom it is said."""
    former = verifying(pool, model_embedder, model, sensitive=policy)
    model.answer([fact("has diabetes", "I have diabetes")])
    model.verdicts.append({0: {"sensitive": "health", "about": about}})
    formed = await former.form(
        memory_view(ALICE.namespace(audience)), typed("I have diabetes")
    )
    assert len(formed.changes) == (becomes == "stored")
    assert [one.asks for one in formed.questions] == ["store"] * (becomes == "asked")
    assert reasons(formed) == ["sensitive"] * (becomes == "refused")
    assert await facts(database) == ["has diabetes"] * (becomes == "stored")


@pytest.mark.parametrize("asked", [False, True], ids=["stored", "asked"])
async def test_what_may_harm_is_marked(
    pool: Pool, model_embedder: Embedder, model: ScriptedModel, asked: bool
) -> None:
    """By the verdict, however the memory comes to count, and whatever is said of it later."""
    former = verifying(
        pool, model_embedder, model, sensitive="ask" if asked else "store"
    )
    view = memory_view(ALICE.namespace(DM))
    model.answer(
        [
            fact("is allergic to nuts", "I am allergic to nuts"),
            fact("has a cat", "a cat"),
        ]
    )
    model.verdicts.append({0: {"sensitive": "health", "may_harm": True}})
    formed = await former.form(view, typed("I am allergic to nuts, I have a cat"))
    for question in formed.questions:
        await answer_question(pool, model_embedder, ALICE, question.id, "yes")
    marked = {
        one.content["fact"]: one.may_harm for one in await list_memories(pool, ALICE)
    }
    assert marked == {"is allergic to nuts": True, "has a cat": False}


@pytest.mark.parametrize(("answer", "stored"), [("yes", ["has diabetes"]), ("no", [])])
async def test_the_answer_to_whether_to_store(
    pool: Pool,
    model_embedder: Embedder,
    model: ScriptedModel,
    database: str,
    answer: Any,
    stored: list[str],
) -> None:
    """Yes stores it with its source; it is asked once however often it is proposed."""
    former = verifying(pool, model_embedder, model, sensitive="ask")
    for _ in range(2):
        model.answer([fact("has diabetes", "I have diabetes")])
        model.verdicts.append({0: {"sensitive": "health"}})
        formed = await former.form(ALICE_DM, typed("I have diabetes"))
    assert (
        len(owner_rows(database, "SELECT id FROM statements WHERE state = 'asked'"))
        == 1
    )
    (question,) = formed.questions
    changes = await answer_question(pool, model_embedder, ALICE, question.id, answer)
    assert len(changes) == len(stored)
    assert await facts(database) == stored
    if stored:
        (row,) = await rows(database)
        assert row["value"]["sources"][0]["evidence"] == "I have diabetes"


async def test_a_yes_to_what_was_added_since_is_about_the_same_memory(
    pool: Pool, model_embedder: Embedder, model: ScriptedModel, database: str
) -> None:
    """Where the person has added the thing meanwhile, a yes says more about it, once."""
    former = verifying(pool, model_embedder, model, sensitive="ask")
    model.answer([food("Soup", 80, "I like soup without salt", description="no salt")])
    model.verdicts.append({0: {"sensitive": "health"}})
    (question,) = (
        await former.form(ALICE_DM, typed("I like soup without salt"))
    ).questions
    command = PersonMessage(actor="command")
    content = {"food_name": "soup", "cuisine": "home"}
    kind = "UserFoodPreference"
    await add_memory(pool, model_embedder, ALICE_DM.own, kind, content, command)
    await answer_question(pool, model_embedder, ALICE, question.id, "yes")
    with pytest.raises(ChangeGone):
        await answer_question(pool, model_embedder, ALICE, question.id, "yes")
    (row,) = await rows(database)
    content = row["value"]["content"]
    assert (content["cuisine"], content["description"]) == ("home", "no salt")


async def test_malformed_is_asked_once_more(trial: Trial) -> None:
    """The second answer counts; two malformed ones drop the proposals, and the words are formed."""
    trial.model.answer([fact("I play chess", "I play chess")])
    trial.model.verdicts.append('{"verdicts": [{"index": 0, "supported": "perhaps"}]}')
    formed = await trial.form(typed("I play chess"))
    assert len(formed.changes) == 1
    assert len(trial.model.verdict_requests) == 2
    ran: list[FormationResult] = []

    async def note(_: object, formed: FormationResult) -> None:
        ran.append(formed)

    for given in ({}, {"verdicts": 3}, {"verdicts": "{"}, {"verdicts": "[" * 5000}):
        nonsense = json.dumps(given)
        trial.model.answer([fact("I play go", "I play go")])
        trial.model.verdicts += [nonsense, nonsense]
        formed = await trial.form(typed("I play go"), in_commit=note)
        assert reasons(ran.pop()) == reasons(formed) == ["unusable"]
    assert await facts(trial.database) == ["I play chess"]


@pytest.mark.parametrize(
    "given",
    [
        {"verdicts": json.dumps([verdict(0)])},
        {"verdicts": verdict(0)},
        verdict(0),
    ],
    ids=["a text", "no list", "alone"],
)
async def test_a_verdict_is_read_however_its_list_is_written(
    trial: Trial, given: dict[str, Any]
) -> None:
    """Claude writes a list as a text now and then, small models leave it out."""
    trial.model.answer([fact("I play chess", "I play chess")])
    trial.model.verdicts.append(json.dumps(given))
    formed = await trial.form(typed("I play chess"))
    assert len(formed.changes) == len(trial.model.verdict_requests) == 1


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("scripted", "refusal"),
        ("openai-chat:scripted", "refusal"),
        ("scripted", 400),
    ],
)
async def test_a_refusal_drops_the_proposals(
    pool: Pool,
    model_embedder: Embedder,
    model: ScriptedModel,
    database: str,
    name: str,
    answer: str | int,
) -> None:
    """A model that declines twice, over either interface, or the provider's filter."""
    former = verifying(pool, model_embedder, model, name)
    model.answer([fact("I play chess", "I play chess")])
    model.verdicts += [answer, answer]
    model.error_code = "content_filter"
    formed = await former.form(ALICE_DM, typed("I play chess"))
    assert reasons(formed) == ["unusable" if answer == "refusal" else "unreadable"]
    assert [one.sentence for one in formed.refused] == ["I play chess"]
    assert await rows(database) == []


async def test_an_outage_leaves_the_words_waiting(trial: Trial) -> None:
    """429 and 5xx: one request was made and nothing is written; the extraction's tokens count."""
    trial.model.usage = 100
    trial.model.answer([fact("I play chess", "I play chess")])
    trial.model.verdicts.append(503)
    ran: list[bool] = []

    async def note(*_: object) -> None:
        ran.append(True)

    with counted_tokens() as spent, pytest.raises(FormationUnavailable):
        await trial.form(typed("I play chess"), in_commit=note)
    assert (ran, spent.total(), len(trial.model.verdict_requests)) == ([], 100, 1)
    assert await trial.rows() == []


PROMISE = "I promised Mia the Q3 figures."
GIVEN = ("Promise", {"promise": "the Q3 figures", "to": "Mia", "evidence": PROMISE})


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        ({"modality": "promised"}, (None, None)),
        ({"modality": "promised", "due": "2099-01-19"}, ("2099-01-19", None)),
        (
            {"modality": "promised", "due": "2099-01-19", "due_time": "12:00"},
            ("2099-01-19", "12:00"),
        ),
        (
            {"modality": "promised", "due": "2099-01-19", "due_time": "noon"},
            ("2099-01-19", None),
        ),
        (
            {
                "modality": "promised",
                "due": "2099-01-19T00:00:00",
                "due_time": "9:05:00+09:00",
            },
            ("2099-01-19", "09:05"),
        ),
        ({"modality": "promised", "due": "soon", "due_time": "09:00"}, (None, None)),
        ({"modality": "promised", "due": "2099-01-01"}, (None, None)),
        ({"modality": "promised", "valid_until": "2099-01-01"}, (None, None)),
        ({"modality": "asserted", "due": "2099-01-19"}, "not_asserted"),
        ({"modality": "promised", "about": "other"}, "other_person"),
        ({"modality": "promised", "supported": False}, "unsupported"),
    ],
)
async def test_only_a_given_promise_is_stored_with_the_day_that_the_verdict_reads(
    trial: Trial, judged: dict[str, Any], expected: tuple[str | None, str | None] | str
) -> None:
    """The memory model's own day is not used; a past one, and what is no time, are left out."""
    trial.model.answer([(GIVEN[0], {**GIVEN[1], "due": "2099-12-31"})])
    trial.model.verdicts.append({0: judged})
    formed = await trial.form(typed(PROMISE))
    if isinstance(expected, str):
        assert reasons(formed) == [expected]
        assert await trial.rows() == []
        return
    [row] = await trial.rows()
    assert (
        row["value"]["content"]["due"],
        row["value"]["content"]["due_time"],
    ) == expected
    assert row["value"]["content"]["state"] == "open"
    assert row["expires_at"] is None


async def test_what_became_of_a_promise_changes_it(trial: Trial) -> None:
    """A later sentence ends it or moves its day; its other fields stay.

    If it is made again after it was kept, it is open, and a day that is past by then goes.
    """
    trial.model.answer([GIVEN])
    trial.model.verdicts.append({0: {"modality": "promised", "due": "2099-01-19"}})
    await trial.form(typed(PROMISE))
    kept = {"state": "done"}
    promised = {"modality": "promised"}
    for day, sentence, fields, judged, expected in (
        (
            17,
            "Mia needs it on the 20th.",
            {},
            {"due": "2099-01-20"},
            ("2099-01-20", "open"),
        ),
        (
            18,
            "I sent Mia the figures.",
            kept,
            {"modality": "past"},
            ("2099-01-20", "done"),
        ),
        (
            26,
            "I promised them by the 30th.",
            {},
            {**promised, "due": "2099-01-30"},
            ("2099-01-30", "open"),
        ),
        (27, "I sent them.", kept, {"modality": "past"}, ("2099-01-30", "done")),
        (31, "I promised them once more.", {}, promised, (None, "open")),
    ):

        def patched(
            shown: Shown, sentence: str = sentence, fields: dict[str, str] = fields
        ) -> list[Call]:
            return [patch(shown.id_of("Q3"), evidence=sentence, **fields)]

        trial.model.answer(patched)
        trial.model.verdicts.append({0: judged})
        await trial.form(typed(sentence, at=FRIDAY + timedelta(days=day - 16)))
        [row] = await trial.rows()
        content = row["value"]["content"]
        assert (content["due"], content["state"]) == expected
        assert content["to"] == "Mia"


@pytest.mark.parametrize("due", ["2099-02-01", None])
async def test_a_promise_that_is_made_again_is_open_where_the_first_is_not_known(
    trial: Trial, due: str | None
) -> None:
    """It is made in a channel, after the one of the direct messages was kept; its day is past."""
    trial.model.answer([GIVEN])
    trial.model.verdicts.append({0: {"modality": "promised", "due": "2099-01-17"}})
    await trial.form(typed(PROMISE))
    trial.model.answer(
        lambda shown: [patch(shown.id_of("Q3"), evidence="I sent it.", state="done")]
    )
    trial.model.verdicts.append({0: {"modality": "past"}})
    await trial.form(typed("I sent it.", at=FRIDAY + timedelta(days=1)))
    trial.model.answer([GIVEN])
    trial.model.verdicts.append({0: {"modality": "promised", "due": due}})
    said = typed(PROMISE, at=FRIDAY + timedelta(days=2))
    await trial.former.form(memory_view(ALICE.namespace(PUBLIC)), said)
    [row] = await trial.rows(ALICE.namespace(PUBLIC))
    content = row["value"]["content"]
    assert (content["due"], content["state"]) == (due, "open")
