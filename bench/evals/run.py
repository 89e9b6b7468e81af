"""Run the cases: each through the app's formation, for a separate test person."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import memory
from bench.evals.cases import Case, chosen_cases, load_cases
from bench.evals.report import Report, Result
from bench.evals.scoring import Outcome, Stored, score
from bot.answering.prompt import Prompt
from bot.answering.reply import ask_model
from bot.config import STAND_IN_MODEL, Settings
from bot.delivery.reply_sink import CollectedReply
from bot.models.failures import ReplyFailed
from bot.queue.queue import migrations
from bot.runtime.problems import Problem
from bot.runtime.wiring import (
    ModelClients,
    create_chat_model,
    create_reply_model,
    open_model_clients,
    operators_pool,
)
from memory.formation import judge_kept
from memory.postgres import check_database

CASES = Path(__file__).parent
TEAM = "TEVAL"  # the workspace of the test people; ids of Slack are longer
_GIVE_UP_AFTER = 5
_CLICK = memory.PersonMessage(actor="command")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command-line options."""

    cases: Path = CASES
    languages: Sequence[str] = ()
    held_out: Literal["only", "without"] | None = None
    concurrency: int = 4


async def measured(settings: Settings, options: Options) -> Report:
    """Run the cases and return the report. Raises `Problem`."""
    cases = chosen_cases(
        load_cases(options.cases),
        languages=options.languages,
        held_out=options.held_out,
    )
    if not settings.has_model:
        raise Problem(
            "No model is set, so there is nothing to measure: write OPENAI_API_KEY, or"
            " OPENAI_BASE_URL for a server that speaks the Responses API."
        )
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(operators_pool(settings))
        clients = await stack.enter_async_context(open_model_clients(settings))
        space = await memory.embedding_space(
            clients.embeddings, settings.embedding_model
        )
        await check_database(pool, space, migrations())
        embedder = memory.Embedder(clients.embeddings, space)
        runner = _Runner(settings, pool, embedder, clients, options)
        results = await runner.run(cases)
    return Report(
        at=datetime.now(UTC),
        model=settings.memory_model,
        results=results,
        stand_in=settings.memory_model == STAND_IN_MODEL,
    )


class _Runner:
    def __init__(
        self,
        settings: Settings,
        pool: memory.Pool,
        embedder: memory.Embedder,
        clients: ModelClients,
        options: Options,
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._options = options
        self._schemas = memory.load_schemas(settings.schemas)
        self._former = memory.Former(
            pool,
            embedder,
            partial(create_chat_model, settings, clients.memories),
            schemas=self._schemas,
            sensitive=settings.sensitive,
        )
        self._model = create_reply_model(settings, clients.replies)
        self._answered = 0
        self._unanswered = 0

    async def run(self, cases: Sequence[Case]) -> list[Result]:
        """Run all cases, a few at a time; the results are in the order of `cases`."""
        places = asyncio.Semaphore(self._options.concurrency)

        async def one(case: Case) -> Result:
            async with places:
                result = await self._result(case)
                done = self._answered + self._unanswered
                print(f"{done} of {len(cases)} cases", file=sys.stderr, flush=True)
                return result

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(case)) for case in cases]
        except* Problem as problems:
            raise problems.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _result(self, case: Case) -> Result:
        person = memory.Person(TEAM, "U" + case.id.upper().replace("-", ""))
        # A killed run may have left data.
        await memory.erase(self._pool, person)
        try:
            outcome = await self._outcome(case, person)
        except (
            memory.FormationUnavailable,
            memory.EmbeddingsUnavailable,
            ReplyFailed,
        ) as problem:
            self._unanswered += 1
            if not self._answered and self._unanswered >= _GIVE_UP_AFTER:
                raise Problem(
                    f"{str(problem).rstrip('.')}: check OPENAI_API_KEY, OPENAI_BASE_URL and"
                    " KIOKU_MEMORY_MODEL."
                ) from None
            return Result(case=case, score=None)
        except memory.InvalidContent as problem:
            raise Problem(
                f"The case {case.id} has a memory that is invalid: {problem}"
            ) from None
        finally:
            await memory.erase(self._pool, person)
        self._answered += 1
        scored = score(case, outcome)
        return Result(case=case, score=scored, questions=len(outcome.asked))

    async def _outcome(self, case: Case, person: memory.Person) -> Outcome:
        namespace = person.namespace(case.audience)
        before: dict[str, Stored] = {}
        for given in case.existing:
            [made] = await memory.add_memories(
                self._pool,
                self._embedder,
                namespace,
                given.kind,
                [(given.content, _CLICK)],
            )
            content = made.after or {}
            before[given.name] = Stored(key=made.key, kind=given.kind, content=content)
        zone = case.zone
        said_at = datetime.now(UTC) - timedelta(days=case.days_ago)
        question = case.question
        words: list[memory.PersonMessage] = []
        for number, text in enumerate(case.messages):
            before_the_end = timedelta(seconds=len(case.messages) - number)
            ts = (said_at - before_the_end).timestamp()
            message = memory.PersonMessage(
                text=text,
                channel="DEVAL",
                ts=f"{ts:.6f}",
                zone=zone,
                reply_to=question,
            )
            words.append(message)
            question = None  # the first message answers it
        if case.category == "for_channel":
            return await self._judged(case, person, words[0])
        if case.category == "cited":
            cited = await self._cited(namespace, words[0].text)
            names = {one.key: name for name, one in before.items()}
            return Outcome(
                said_on=said_at.astimezone(zone).date(),
                before=before,
                after=tuple(before.values()),
                cited=tuple(names[key] for key in cited),
            )
        formed = await self._former.form(
            memory.memory_view(namespace), words, passes_over=True
        )
        after = await memory.list_memories(self._pool, person)
        return Outcome(
            said_on=said_at.astimezone(zone).date(),
            before=before,
            after=tuple(_stored(one, zone) for one in after),
            asked=tuple(_asked(one) for one in formed.questions),
        )

    async def _cited(self, namespace: memory.Namespace, question: str) -> list[str]:
        """Return the keys of the memories that the model's answer to a question cites."""
        view = memory.memory_view(namespace)
        recalled = await memory.recall_memories(
            self._pool, self._embedder, view, question
        )
        prompt = Prompt(
            question=question,
            user_id=view.person.user_id,
            recalled=recalled,
            now=datetime.now(UTC),
        )
        sink = CollectedReply(question)
        reply = await ask_model(
            self._model, view.person, prompt, sink, None, may_search=False
        )
        return [prompt.memories_by_mark[mark].key for mark in reply.cited]

    async def _judged(
        self, case: Case, person: memory.Person, message: memory.PersonMessage
    ) -> Outcome:
        """Return what may be kept of a message for its channel: the message, or nothing."""
        said_on = message.said_at.astimezone(case.zone).date()
        judged = await judge_kept(self._former, person, message, decision=case.decision)
        if isinstance(judged, memory.Refusal):
            return Outcome(said_on=said_on)
        line = Stored(key=message.ts, kind="KeptLine", content={"text": judged.text})
        return Outcome(said_on=said_on, after=(line,))


def _stored(one: memory.Memory, zone: ZoneInfo) -> Stored:
    until: date | None = None
    if one.expires_at is not None:
        # A memory expires when the day after its last day begins.
        end = one.expires_at - timedelta(seconds=1)
        until = end.astimezone(zone).date()
    return Stored(key=one.key, kind=one.kind, content=one.content, until=until)


def _asked(question: memory.Question) -> Stored:
    content = question.after or question.before or {}
    return Stored(key=question.said.key, kind=question.said.kind, content=content)
