"""LangMem's prompt optimizers: new texts for sections of prompts, from rated exchanges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from memory.formation.chat_model import ModelCallFailed, failing_once
from memory.formation.store_manager import load
from memory.model.errors import FormationUnavailable
from memory.model.text import clean

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

OptimizerKind: TypeAlias = Literal["gradient", "metaprompt", "prompt_memory"]

OPTIMIZER_CALLS: Final[Mapping[OptimizerKind, int]] = {
    "gradient": 6,
    "metaprompt": 5,
    "prompt_memory": 1,
}
"""The largest number of model calls for one section, without repairs of malformed answers."""

_UPDATE: Final = (
    "Write general rules that suit everybody. Never name or describe a person, never quote the"
    " conversations, and stay below twice the present length."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedExchange:
    """A question with its answer, the person's rating, and why they gave it."""

    question: str
    reply: str
    good: bool
    reasons: str = ""
    comment: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything in it that a prompt must not quote."""
        return (self.question, self.reply, self.comment)

    @property
    def feedback(self) -> str:
        """The sentences of `reasons`, and the person's own words."""
        return "\n".join(filter(None, (self.reasons, self.comment)))


async def improve_prompts(
    model: BaseChatModel,
    kind: OptimizerKind,
    exchanges: Sequence[RatedExchange],
    prompts: Mapping[str, str],
    when_to_update: Mapping[str, str],
) -> dict[str, str]:
    """Return new texts for `prompts`, by name; a text that needs no change is returned as it is.

    With several prompts LangMem first chooses which of them to change, by `when_to_update`. Raises
    `FormationUnavailable` if the model does not answer, or not in the requested form.
    """
    from langgraph.errors import GraphRecursionError
    from langsmith import tracing_context

    langmem, _ = load()
    model = failing_once(model)
    given = [
        {
            "name": name,
            "prompt": text,
            "update_instructions": _UPDATE,
            "when_to_update": when_to_update[name],
        }
        for name, text in prompts.items()
    ]
    trajectories = [_trajectory(one) for one in exchanges]
    found: list[dict[str, Any]]
    try:
        with tracing_context(enabled=False):
            if len(given) == 1:
                optimizer = langmem.create_prompt_optimizer(model, kind=kind)
                text = await optimizer.ainvoke({"trajectories": trajectories, "prompt": given[0]})
                found = [{**given[0], "prompt": text}]
            else:
                optimizer = langmem.create_multi_prompt_optimizer(model, kind=kind)
                found = await optimizer.ainvoke({"trajectories": trajectories, "prompts": given})
    except ModelCallFailed as fault:
        raise fault.error() from None
    except (GraphRecursionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        # LangMem and trustcall raise these on some answers. Their texts may quote people.
        raise FormationUnavailable(
            "The memory model's answer to LangMem's optimizer could not be used."
        ) from None
    # "" is LangMem's "no change". An admin would not see invisible characters.
    texts = {one["name"]: clean(str(one["prompt"] or "")).strip() for one in found}
    return {name: texts.get(name) or text for name, text in prompts.items()}


def _trajectory(one: RatedExchange) -> tuple[list[dict[str, str]], dict[str, Any]]:
    messages = [
        {"role": "user", "content": one.question},
        {"role": "assistant", "content": one.reply},
    ]
    return messages, {
        "score": 1.0 if one.good else 0.0,
        **({"feedback": one.feedback} if one.feedback else {}),
    }
