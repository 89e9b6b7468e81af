"""Prompt Optimizer: a model improves a system prompt from a conversation and feedback on it.

Article: 「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26),
"Prompt Optimizer", which has no listing and links to LangMem's guide "How to Optimize a Prompt".

The three kinds of optimizer differ in the number of model calls: `prompt_memory` makes 1,
`metaprompt` up to 5, `gradient` 2 to 10.
"""

from typing import Any, Literal, get_args

from langmem import create_prompt_optimizer  # type: ignore[import-untyped]

from examples.environment import MEMORY_MODEL, use_model

Kind = Literal["prompt_memory", "metaprompt", "gradient"]

PROMPT = "You are a helpful assistant that recommends lunch to {user_name}."
CONVERSATION = [
    {"role": "user", "content": "What should I have for lunch?"},
    {"role": "assistant", "content": "There are many options. It depends on what you like."},
    {"role": "user", "content": "That does not help me choose."},
]
COMPLAINT = {"feedback": "Name exactly one dish and say in one sentence why it fits."}
PRAISE = {"feedback": "Great!"}


def improved(optimizer: Any, feedback: dict[str, str]) -> str:
    """Return the optimized `PROMPT`, or `PROMPT` if the optimizer returns an empty text.

    An empty text means "no change".
    """
    result = optimizer.invoke({"trajectories": [(CONVERSATION, feedback)], "prompt": PROMPT})
    return str(result or "").strip() or PROMPT


def main() -> None:
    """Print what each kind of optimizer makes of the same prompt."""
    use_model()
    print(f"### before\n{PROMPT}")
    for kind in get_args(Kind):
        optimizer = create_prompt_optimizer(f"openai:{MEMORY_MODEL}", kind=kind)
        print(f"### {kind}, after a complaint\n{improved(optimizer, COMPLAINT)}")
        print(f"### {kind}, after praise\n{improved(optimizer, PRAISE)}")


if __name__ == "__main__":
    main()
