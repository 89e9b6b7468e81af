"""``kioku improve``: proposals for better prompts, from exchanges that people rated and shared."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from langchain_core.callbacks import UsageMetadataCallbackHandler
from psycopg.rows import DictRow

from bot.config import Settings
from bot.locale import say
from bot.notices.prompt_reviews import schedule_review
from bot.pipeline.prompt import REPLY_INSTRUCTIONS, compose, estimated_tokens
from bot.queue.queue import Queue
from bot.runtime.memory_models import create_chat_model
from bot.runtime.operators import confirm, in_database, operator, record, require_workspace
from bot.runtime.output import ProgressBar, tell
from bot.runtime.problem import Problem
from bot.users.prompt_versions import (
    BUILT_IN,
    active_sections,
    decide,
    propose,
    read_shared,
)
from bot.users.quotas import Quotas, read_prices
from bot.views.improvement import REFUSALS
from memory import (
    OPTIMIZER_CALLS,
    OptimizerKind,
    Pool,
    RatedExchange,
    TokenUse,
    compare_prompts,
    execute_statement,
    improve_prompts,
    prompt_refusal,
    provider_and_name,
    token_use,
    transaction,
)

_CHANGES: LiteralString = (
    "SELECT concat_ws('  ', to_char(c.at, 'YYYY-MM-DD HH24:MI'), c.team_id, c.version, c.action,"
    " COALESCE(c.changed_by, 'erased'), v.kind, cardinality(v.cases) || ' exchanges',"
    " COALESCE((SELECT string_agg(value || ' ' || key, ', ' ORDER BY key)"
    " FROM jsonb_each_text(v.effect)), 'not measured')) AS line"
    " FROM prompt_changes c LEFT JOIN prompt_versions v ON v.id = c.version"
    " WHERE %s::text IS NULL OR c.team_id = %s ORDER BY c.id DESC"
)
_MOST_CASES = 60
_HELD_SHARE, _FEWEST_HELD = 5, 3
# Estimates for the cost: LangMem's own prompt, and answers.
_TEMPLATE_TOKENS, _ANSWER_TOKENS = 1_500, 600
_WHEN = {
    "style": "The form, length, language or tone of the answers was not right.",
    "formation": "Something was remembered that should not be, or something was not remembered.",
}


class _Run:
    """One proposal from shared exchanges; those `held` back measure the effect."""

    def __init__(
        self,
        settings: Settings,
        kind: OptimizerKind,
        names: Sequence[str],
        team: str,
        shared: Sequence[tuple[DictRow, RatedExchange]],
    ) -> None:
        self.settings, self.kind, self.names, self.team = settings, kind, names, team
        self.prices = read_prices(settings.prices)
        # In an order that does not change, so that the same ones are held back each time.
        cases = sorted(shared, key=lambda one: hashlib.sha256(one[0]["turn_id"].bytes).digest())
        self.turns = [row["turn_id"] for row, _ in cases]
        exchanges = [exchange for _, exchange in cases]
        held = len(exchanges) // _HELD_SHARE if "style" in names else 0
        held = held if held >= _FEWEST_HELD else 0
        self.held, self.learned = exchanges[:held], exchanges[held:]
        # At most. With several prompts, one more call chooses between them.
        self.optimizing = OPTIMIZER_CALLS[kind] * len(names) + (len(names) > 1)
        # Two answers and a verdict for each case.
        self.calls = self.optimizing + 3 * held

    def tell_cost(self) -> None:
        """Print what is read, the largest number of calls and the estimated cost."""
        good, count = sum(one.good for one in (*self.held, *self.learned)), len(self.turns)
        held = f"{len(self.held)} held back to measure the effect"
        tell(
            f"{count} shared exchanges of {self.team}: {good} good, {count - good} not good;"
            f" {held if self.held else 'too few to measure'}."
        )
        used = self._estimate()
        cost, unpriced = self.prices.cost(used)
        price = f"{cost:.4f} USD at the prices of {self.prices.as_of}"
        if unpriced:
            price += f", and {unpriced:,} tokens without a price in KIOKU_PRICES"
        tell(f"At most {self.calls} model calls, about {used.total():,} tokens: {price}.")

    def _estimate(self) -> TokenUse:
        texts = sum(estimated_tokens(text) for one in self.learned for text in one.texts)
        asked = sum(estimated_tokens(one.question) for one in self.held)
        instructions = len(self.held) * estimated_tokens(REPLY_INSTRUCTIONS)
        answers = 2 * len(self.held) * _ANSWER_TOKENS
        _, memory_model = provider_and_name(self.settings.memory_model)
        reply_model = self.settings.reply_model
        used: TokenUse = Counter()
        used[memory_model, "input"] = self.optimizing * (texts + _TEMPLATE_TOKENS) + asked + answers
        used[memory_model, "output"] = self.optimizing * _ANSWER_TOKENS
        used[reply_model, "input"] += 2 * (asked + instructions)
        used[reply_model, "output"] += answers
        return +used

    async def propose(self, pool: Pool) -> str:
        """Store a proposal and the job that shows it; return a sentence about it."""
        active, sections = await active_sections(pool, self.team)
        progress = _Progress(self.calls)
        try:
            changed, effect = await self._improve(sections, progress)
        finally:
            progress.bar.end()
            spent: TokenUse = Counter()
            for model, reported in progress.usage_metadata.items():
                spent.update(token_use(model, reported))
            if spent:
                quotas = Quotas(pool, messages_per_hour=0, tokens_per_day=0, prices=self.prices)
                await quotas.spend(self.team, spent)
                await quotas.written()
        if not changed:
            return "The model proposes no change."
        async with transaction(pool) as connection:
            version = await propose(
                connection,
                self.team,
                {**sections, **changed},
                based_on=active,
                kind=self.kind,
                cases=self.turns,
                effect=effect,
                by=operator(),
            )
            await schedule_review(Queue(pool), connection, self.team, str(version))
        return f"Proposed {version}: a running Kioku shows it to the admins in KIOKU_ADMINS."

    async def _improve(
        self, sections: Mapping[str, str], progress: _Progress
    ) -> tuple[dict[str, str], dict[str, int] | None]:
        """Return the changed sections, and their effect if it was measured."""
        chat = create_chat_model(self.settings, self.settings.memory_model, [progress])
        before = {name: sections[name] for name in self.names}
        after = await improve_prompts(chat, self.kind, self.learned, before, _WHEN)
        changed = {name: text for name, text in after.items() if text != before[name]}
        texts = [text for one in (*self.learned, *self.held) for text in one.texts]
        for name, text in changed.items():
            if refused := prompt_refusal(text, before[name], texts=texts):
                raise Problem(
                    f"The model's proposal was refused ({name}): {say('en', REFUSALS[refused])}"
                )
        if "style" not in changed or not self.held:
            return changed, None
        # The provider is named because the name of a local model may have a colon, too.
        reply_model = f"openai:{self.settings.reply_model}"
        replies = create_chat_model(self.settings, reply_model, [progress])
        effect: Counter[str] = Counter(better=0, same=0, worse=0)
        for one in self.held:
            old, new = [
                compose(question=one.question, user_id="", memories=(), style=style).input
                for style in (before["style"], changed["style"])
            ]
            verdict = await compare_prompts(chat, replies, one.question, old=old, new=new)
            if verdict is None:
                return changed, None
            effect[verdict] += 1
        return changed, dict(effect)


def improve(
    settings: Settings,
    *,
    team: str | None,
    kind: OptimizerKind,
    only: str | None,
    yes: bool,
    listed: bool,
    rollback: bool,
) -> None:
    """Make a proposal, print the changelog, or roll a version back. Raises `Problem`."""
    if team is not None:
        require_workspace(team)
    if listed or rollback:
        do = _changelog if listed else _rolled_back
        tell(in_database(settings, lambda pool: do(pool, team)))
        return
    if not settings.has_model:
        raise Problem("No model is set: write OPENAI_API_KEY, or OPENAI_BASE_URL.")
    if not settings.admins:
        raise Problem(
            "No admin is set to approve a proposal: write their user ids into KIOKU_ADMINS."
        )
    chosen, shared = in_database(settings, lambda pool: _shared(pool, team), action="improve")
    if not settings.admins_of(chosen):
        raise Problem(
            f"KIOKU_ADMINS names no admin of {chosen}, who would approve a proposal: add their user"
            f" id, as in {chosen}/U0123ABCD."
        )
    run = _Run(settings, kind, [only] if only else list(BUILT_IN), chosen, shared)
    run.tell_cost()
    if not yes:
        confirm(run.team, "begin", "Nothing was begun")
    tell(in_database(settings, run.propose))


async def _shared(pool: Pool, team: str | None) -> tuple[str, list[tuple[DictRow, RatedExchange]]]:
    """Return the workspace and its newest shared exchanges; that they were read is recorded."""
    teams = await execute_statement(
        pool, "SELECT DISTINCT team_id FROM shared_exchanges(%s, NULL)", (team,)
    )
    if not teams:
        raise Problem("No exchange is shared: people share one in the form below an answer.")
    chosen = _only_team(teams)
    found = await read_shared(pool, chosen, limit=_MOST_CASES)
    await record(pool, "improve", len(found), chosen)
    return chosen, found


def _only_team(rows: Sequence[Mapping[str, Any]]) -> str:
    teams = sorted({str(row["team_id"]) for row in rows})
    if len(teams) > 1:
        raise Problem(f"Name a workspace with --team: {', '.join(teams)}.")
    return teams[0]


class _Progress(UsageMetadataCallbackHandler):
    """Adds up tokens, and moves a bar with each call: repairs do not move it past its end."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.run_inline = True
        self.bar = ProgressBar("model calls")
        self._calls, self._done = calls, 0

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        """Count one call."""
        super().on_llm_end(response, **kwargs)
        self._done = min(self._done + 1, self._calls)
        self.bar.show(self._done, self._calls)


async def _changelog(pool: Pool, team: str | None) -> str:
    """Return a line for each change, the newest first."""
    changes = await execute_statement(pool, _CHANGES, (team, team))
    return "\n".join([*(row["line"] for row in changes), f"{len(changes)} changes."])


async def _rolled_back(pool: Pool, team: str | None) -> str:
    active = await execute_statement(
        pool,
        "SELECT team_id, id FROM prompt_versions WHERE status = 'active'"
        " AND (%s::text IS NULL OR team_id = %s)",
        (team, team),
    )
    if not active:
        raise Problem("The built-in texts are in use: there is nothing to roll back.")
    chosen, version = _only_team(active), active[0]["id"]
    if not await decide(pool, chosen, version, "replaced", by=operator()):
        raise Problem("The version has been changed meanwhile: see --list.")
    return f"Rolled back {version}: the texts before it are used from the next message on."
