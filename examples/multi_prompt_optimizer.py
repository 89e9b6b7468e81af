"""Prompt Optimizer for several prompts: feedback changes only the prompt that it is about.

Article: 「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26),
"Prompt Optimizer", which has no listing and links to LangMem's guide "How to Optimize Multiple
Prompts".
"""

from langmem import Prompt, create_multi_prompt_optimizer  # type: ignore[import-untyped]

from examples.environment import MEMORY_MODEL, use_model

PROMPTS = [
    Prompt(name="researcher", prompt="Find facts about {topic}.", update_instructions=""),
    Prompt(name="writer", prompt="Write a report from the facts you get.", update_instructions=""),
]
CONVERSATION = [
    {"role": "user", "content": "Write about long-term memory of AI agents."},
    {"role": "assistant", "content": "Long-term memory lets agents keep what they learn. " * 20},
]
FEEDBACK = "The writer should keep the report within 100 words."


def main() -> None:
    """Print each prompt as it is after the feedback, and whether that changed it."""
    use_model()
    optimizer = create_multi_prompt_optimizer(f"openai:{MEMORY_MODEL}", kind="metaprompt")
    result = optimizer.invoke({"trajectories": [(CONVERSATION, FEEDBACK)], "prompts": PROMPTS})
    for old, new in zip(PROMPTS, result, strict=True):
        # An optimizer may return an empty text for "no change".
        prompt = str(new["prompt"]).strip() or old["prompt"]
        print(f"### {old['name']}: {'kept' if prompt == old['prompt'] else 'changed'}\n{prompt}")


if __name__ == "__main__":
    main()
