"""Prompts offered where nothing is asked yet: what the app can do, and what suits this person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.locale import Language, say
from memory import Memory, subject

MAX_PROMPTS = 4
_NAME_CHARACTERS = 40
_LIKED = 50
_FOOD, _TECH = "UserFoodPreference", "UserTechInterest"

Suggestion = dict[str, str]


def suggested_prompts(
    language: Language, memories: Sequence[Memory], *, off: bool = False, web_search: bool = True
) -> list[Suggestion]:
    """Return at most four prompts, ``{title, message}``; `memories` are newest first.

    None says anything about the person that they have not said: clicked, it is their own message.
    While memory is `off` none speaks of it. Without `web_search` none asks for news.
    """
    keys = [] if off else _personal_prompts(memories)
    chosen = [
        _suggestion(language, key, **names) for key, names in keys if web_search or key != "news"
    ]
    chosen += [_suggestion(language, key) for key in ("ask_me", "topics", "meal")]
    if not off:
        chosen = [*chosen[: MAX_PROMPTS - 1], _suggestion(language, "remembered")]
    return chosen[:MAX_PROMPTS]


def names_memories(memories: Sequence[Memory]) -> bool:
    """Say whether prompts for a person with these memories name any of them."""
    return any(names for _, names in _personal_prompts(memories))


def _personal_prompts(memories: Sequence[Memory]) -> list[tuple[str, dict[str, str]]]:
    foods, topics = _liked(memories, _FOOD), _liked(memories, _TECH)
    fitting: list[tuple[str, dict[str, str]]] = []
    if foods:
        fitting.append(("eat", {"food": foods[0]}))
    if topics:
        fitting.append(("news", {"topic": topics[0]}))
    if len(topics) > 1:
        fitting.append(("together", {"topic": topics[0], "other": topics[1]}))
    if memories:
        fitting.append(("week", {}))
    return fitting


def _liked(memories: Iterable[Memory], kind: str) -> list[str]:
    """Return what the person cares for, by names short enough for a sentence."""
    names = [
        " ".join(subject(memory.kind, memory.content).split())
        for memory in memories
        if memory.kind == kind and _is_liked(memory)
    ]
    return list(dict.fromkeys(name for name in names if 0 < len(name) <= _NAME_CHARACTERS))


def _is_liked(memory: Memory) -> bool:
    cared = memory.content.get("interest_level", memory.content.get("preference"))
    return not isinstance(cared, int) or cared >= _LIKED


_TEXTS = {
    "ask_me": ("suggest_ask_me", "suggest_ask_me_message"),
    "topics": ("suggest_topics", "suggest_topics_message"),
    "meal": ("suggest_eat", "suggest_meal_message"),
    "remembered": ("suggest_remembered", "suggest_remembered_message"),
    "eat": ("suggest_eat", "suggest_eat_message"),
    "news": ("suggest_news", "suggest_news_message"),
    "together": ("suggest_together", "suggest_together_message"),
    "week": ("suggest_week", "suggest_week_message"),
}


def _suggestion(language: Language, key: str, **names: str) -> Suggestion:
    title, message = _TEXTS[key]
    return {
        "title": say(language, title, **names),
        "message": say(language, message, **names),
    }
