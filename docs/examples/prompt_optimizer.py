"""Prompt Optimizer: a model proposes better prompts from rated answers.

    python -m docs.examples.prompt_optimizer [FEEDBACK.jsonl]

Article 1, "Prompt Optimizer". docs/how-to/style.md makes the file from Kioku's feedback.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, Literal, get_args

from langmem import (  # type: ignore[import-untyped]
    Prompt,
    create_multi_prompt_optimizer,
    create_prompt_optimizer,
)

from docs.examples.environment import MEMORY_MODEL, use_model

Kind = Literal["prompt_memory", "metaprompt", "gradient"]

RULES = "Write general rules that suit everybody. Never name a person or quote the conversations."
STYLE = Prompt(
    name="style",
    prompt=os.environ.get("KIOKU_STYLE") or "Answer briefly.",
    update_instructions=RULES,
    when_to_update="The form, length or tone of an answer is bad.",
)
SEARCH = Prompt(
    name="search",
    prompt="Look up prices and dates on the web.",
    update_instructions=RULES,
    when_to_update="An answer is out of date, or was not looked up.",
)
SAMPLES = """\
{"question": "What should I have for lunch?", "answer": "There are many options.", "rating": "bad", "comment": "The style is vague: name exactly one dish."}
{"question": "Thanks!", "answer": "You are welcome.", "rating": "good", "comment": ""}
"""  # noqa: E501


def trajectory(row: dict[str, str]) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Return a rated answer as LangMem takes it: the messages, and the feedback on them."""
    messages = [
        {"role": "user", "content": row["question"]},
        {"role": "assistant", "content": row["answer"]},
    ]
    comment = {"feedback": row["comment"]} if row["comment"] else {}
    return messages, {"score": float(row["rating"] == "good"), **comment}


def main() -> None:
    """Print what each kind of optimizer makes of one prompt, and which of two prompts changes."""
    use_model()
    lines = Path(sys.argv[1]).read_text("utf-8") if len(sys.argv) > 1 else SAMPLES
    given = [trajectory(json.loads(line)) for line in lines.splitlines()]
    model = f"openai:{MEMORY_MODEL}"
    print(f"### before\n{STYLE['prompt']}")
    for kind in get_args(Kind):
        optimizer = create_prompt_optimizer(model, kind=kind)
        made = optimizer.invoke({"trajectories": given, "prompt": STYLE})
        # An optimizer may return an empty text for "no change".
        print(f"### style, by {kind}\n{str(made or '').strip() or STYLE['prompt']}")
    several = create_multi_prompt_optimizer(model, kind="metaprompt")
    for new in several.invoke({"trajectories": given, "prompts": [STYLE, SEARCH]}):
        print(f"### of several: {new['name']}\n{new['prompt']}")


if __name__ == "__main__":
    main()
