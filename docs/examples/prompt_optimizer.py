"""Prompt Optimizer: a model proposes better prompts from rated answers.

    python -m docs.examples.prompt_optimizer [RATED.jsonl]

Article 1, "Prompt Optimizer". docs/how-to/style.md says what the file holds.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from langmem import Prompt, create_prompt_optimizer  # type: ignore[import-untyped]

from docs.examples.environment import MEMORY_MODEL, use_model

KINDS = ("prompt_memory", "metaprompt", "gradient")
STYLE = Prompt(
    name="style",
    prompt=os.environ.get("KIOKU_STYLE") or "Answer briefly.",
    update_instructions="Write general rules. Never name a person or quote the conversations.",
    when_to_update="The form, length or tone of an answer is bad.",
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
    """Print what each kind of optimizer makes of the prompt."""
    use_model()
    lines = Path(sys.argv[1]).read_text("utf-8") if len(sys.argv) > 1 else SAMPLES
    given = [trajectory(json.loads(line)) for line in lines.splitlines()]
    model = f"openai:{MEMORY_MODEL}"
    print(f"### before\n{STYLE['prompt']}")
    for kind in KINDS:
        optimizer = create_prompt_optimizer(model, kind=kind)
        made = optimizer.invoke({"trajectories": given, "prompt": STYLE})
        # An optimizer may return an empty text for "no change".
        print(f"### style, by {kind}\n{str(made or '').strip() or STYLE['prompt']}")


if __name__ == "__main__":
    main()
