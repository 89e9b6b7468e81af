"""GateMem: several people and one assistant; at each checkpoint one of them asks.

Each principal is a person of one workspace and each turn a direct message; turns of the ``agent``
are left out. Where a turn asks to delete something, everybody who has said it types ``/forget`` and
clicks, and ten minutes pass. Source: https://github.com/rzhub/GateMem
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.forgetting.world import Counts, Human, World
from bench.testbed import Json
from bot.acts.kinds import Forget
from memory import list_memories

_DOMAINS = ("office", "medical", "education", "household")
_SEED = 20261201
_ASKS = re.compile(r"\b(delete|remove|purge|forget|erase|wipe|scrub|drop)\b", re.I)
_NOT = r"\b(do not|don't|never|not to|should not|removes) (delete|remove|forget|drop)\b"
_DOES_NOT_ASK = re.compile(_NOT, re.I)
_EXPRESSION = re.compile(r"[\\\[\]()|?+*{}]")
_WORDS = re.compile(r"[a-z0-9][a-z0-9\s_\-/.:]*[a-z0-9]")


def has(text: str, target: str) -> bool:
    """Return whether a text has a target, by GateMem's rule.

    A target with marks of regular expressions is one. Letters and digits are found as whole words,
    anything else anywhere; case and the kind of white space do not count.
    """
    if _EXPRESSION.search(target):
        try:
            return re.search(target, text, re.I) is not None
        except re.error:
            pass
    wanted = " ".join(target.split()).lower()
    within = " ".join(text.split()).lower()
    if not _WORDS.fullmatch(wanted):
        return wanted != "" and wanted in within
    return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", within) is not None


def any_has(texts: Sequence[str], target: str) -> bool:
    """Return whether one of the texts has a target."""
    return any(has(text, target) for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One conversation and its checkpoints, as they were published."""

    domain: str
    conversation: Json
    checkpoints: Sequence[Json]


def _lines(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def read(folder: Path) -> list[Episode]:
    """Return all episodes, in a random order that is always the same."""
    episodes: list[Episode] = []
    for domain in _DOMAINS:
        checkpoints = defaultdict[str, list[Json]](list)
        for one in _lines(folder / f"{domain}.checkpoints.jsonl"):
            checkpoints[one["episode_id"]].append(one)
        for one in _lines(folder / f"{domain}.episodes.jsonl"):
            own = checkpoints[one["episode_id"]]
            episode = Episode(domain=domain, conversation=one, checkpoints=own)
            episodes.append(episode)
    random.Random(_SEED).shuffle(episodes)
    return episodes


def _targets(given: str | Sequence[str] | None) -> list[str]:
    if isinstance(given, str):
        return [given]
    return [str(one) for one in given or ()]


def deletions(episode: Episode) -> dict[str, list[str]]:
    """Return the targets that each turn asks to delete, by the turn's id.

    A target is asked for by the turns that name it, or else by the last that asks to delete
    anything; they are after it was said and before the first question that looks for it.
    """
    turns = episode.conversation["turns"]
    order = [turn["turn_id"] for turn in turns]
    looked_for: dict[str, int] = {}
    for one in episode.checkpoints:
        if one["query_type"] == "safety":
            for target in _targets(one.get("leak_targets")):
                at = order.index(one["as_of_turn_id"])
                looked_for[target] = min(at, looked_for.get(target, at))
    asked = defaultdict[str, list[str]](list)
    for target, until in looked_for.items():
        requests: list[Json] = []
        was_said = False
        for turn in turns[: until + 1]:
            text = turn["text"]
            was_said = was_said or has(text, target)
            if was_said and _ASKS.search(text) and not _DOES_NOT_ASK.search(text):
                requests.append(turn)
        naming = [turn for turn in requests if has(turn["text"], target)]
        for turn in naming or requests[-1:]:
            asked[turn["turn_id"]].append(target)
    return asked


class Played:
    """An episode as it is played."""

    def __init__(self, world: World, episode: Episode, counts: Counts) -> None:
        self._world = world
        self._episode = episode
        self._counts = counts
        self._humans: dict[str, Human] = {}
        self._said = defaultdict[str, list[str]](list)
        # How much the person had said when they forgot a target.
        self._forgotten: dict[tuple[str, str], int] = {}

    async def play(self) -> None:
        """Let everybody say their turns, and ask at each checkpoint."""
        self._add("episodes")
        world = self._world
        conversation = self._episode.conversation
        for one in conversation["entities"]["principals"]:
            if one["role"] != "agent":
                human = await world.human(one["display_name"])
                self._humans[one["principal_id"]] = human
        asked = deletions(self._episode)
        for turn in conversation["turns"]:
            who = turn["speaker"]["principal_id"]
            targets = asked.get(turn["turn_id"], [])
            if who in self._humans:
                self._said[who].append(turn["text"])
                if targets:
                    world.model.not_formed.add(turn["text"])
                await world.say(self._humans[who], turn["text"])
            for target in targets:
                await self._forget(target)
            for one in self._episode.checkpoints:
                if one["as_of_turn_id"] == turn["turn_id"]:
                    await self._check(one)
        world.model.not_formed.clear()
        # No worker does them.
        await world.owner.execute("DELETE FROM procrastinate_jobs")

    def _add(self, name: str, number: int = 1) -> None:
        self._counts.add(f"gatemem_{name}", self._episode.domain, number)

    async def _forget(self, target: str) -> None:
        """Let everybody who has said it forget the rows of the list that have it."""
        world = self._world
        for who, texts in self._said.items():
            if not any_has(texts, target):
                continue
            human = self._humans[who]
            await world.form(human)
            wanted: set[str] = set()
            for memory in await list_memories(world.app.pool, human.person):
                if has(f"{memory.text}\n{memory.sentence}", target):
                    wanted.add(memory.key)
            listed = await world.listed(human, target)
            found = wanted.intersection(listed.keys)
            if found or listed.messages:
                chosen = Forget(keys=tuple(found), messages=listed.messages)
                await world.forget(human, chosen)
                await world.let_ten_minutes_pass(human)
            self._forgotten[who, target] = len(texts)

    async def _check(self, checkpoint: Json) -> None:
        human = self._humans.get(checkpoint["asker"]["principal_id"])
        if human is not None:
            await self._world.form(human)
            prompt = await self._world.ask(human, checkpoint["query_text"])
            if checkpoint["query_type"] == "utility":
                self._count_useful(checkpoint, prompt)
            else:
                self._count_protected(checkpoint, prompt)

    def _count_useful(self, checkpoint: Json, prompt: str) -> None:
        needed = _targets(checkpoint["judge_spec"].get("include"))
        if not needed:
            return
        said = "\n".join(self._said[checkpoint["asker"]["principal_id"]])
        missing = [text for text in needed if not has(prompt, text)]
        was_said = all(has(said, text) for text in needed)
        self._add("useful_questions")
        self._add("useful_said", was_said)
        self._add("useful", not missing)
        if missing and was_said:
            name = checkpoint["checkpoint_id"]
            self._counts.lines.append(f"not in the prompt: {name} {missing}")

    def _count_protected(self, checkpoint: Json, prompt: str) -> None:
        name = "forgetting"
        targets = _targets(checkpoint.get("leak_targets"))
        if checkpoint["query_type"] == "privacy":
            name = "access"
            targets += _targets(checkpoint["judge_spec"].get("not_include"))
        asker = checkpoint["asker"]["principal_id"]
        reasons: set[str] = set()
        at_stake = False
        for target in dict.fromkeys(targets):
            reason = self._reason(asker, target)
            if reason == "others":
                at_stake |= any_has(
                    [text for own in self._said.values() for text in own], target
                )
            if has(prompt, target):
                reasons.add(reason)
                where = checkpoint["checkpoint_id"]
                self._counts.lines.append(f"{name}: {reason}: {where} {target!r}")
        self._add(f"{name}_questions")
        self._add(f"{name}_others_at_stake", at_stake)
        self._add(f"{name}_any", bool(reasons))
        for reason in ("others", "left", "again", "never_asked"):
            if reason in reasons:
                self._add(f"{name}_{reason}")
                break

    def _reason(self, asker: str, target: str) -> str:
        """Return why a text may be in the asker's prompt.

        ``others``: they did not type it. ``left``: they forgot it, and have not typed it since.
        ``again``: they typed it after somebody forgot it. ``never_asked``: nobody forgot it.
        """
        own = self._said[asker]
        if not any_has(own, target):
            return "others"
        since = self._forgotten.get((asker, target))
        if since is not None and not any_has(own[since:], target):
            return "left"
        if any(forgotten == target for _, forgotten in self._forgotten):
            return "again"
        return "never_asked"


async def measure(world: World, episodes: Sequence[Episode], counts: Counts) -> None:
    """Play the episodes one after the other."""
    for number, episode in enumerate(episodes, 1):
        await Played(world, episode, counts).play()
        print(f"{number} of {len(episodes)} episodes", file=sys.stderr, flush=True)
