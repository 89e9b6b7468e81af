"""Memory Manager: extract memories from a conversation, then change and remove them.

Article 1, "Memory Manager". What the manager returns is passed in again as `existing`.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from langmem import create_memory_manager  # type: ignore[import-untyped]
from pydantic import BaseModel, Field

from docs.examples.environment import MEMORY_MODEL, use_model

INSTRUCTIONS = (
    "Record each food the user likes. When the user stops liking one, which would be a"
    " `preference` of 0, call RemoveDoc instead of updating it."
)
LIKES = ["ラーメンが大好きです!!", "パスタも好きです"]
CHANGES_OF_MIND = ["ラーメンは味噌ラーメンが好き", "パスタは嫌いになりました"]


class UserFoodPreference(BaseModel):
    """The level at which the user likes one food or drink."""

    food_name: Annotated[str, Field(description="What it is called")]
    cuisine: Annotated[
        str | None, Field(description="Where it comes from, e.g. 和食")
    ] = None
    preference: Annotated[
        int | None, Field(ge=0, le=100, description="100: loves it")
    ] = None
    description: Annotated[str | None, Field(description="How the user wants it")] = (
        None
    )


def from_user(texts: Iterable[str]) -> list[dict[str, str]]:
    """Return messages of the user in OpenAI's format, which LangMem takes too."""
    return [{"role": "user", "content": text} for text in texts]


def main() -> None:
    """Tell two likes; then change one and take the other back."""
    use_model()
    manager = create_memory_manager(
        f"openai:{MEMORY_MODEL}",
        schemas=[UserFoodPreference],
        instructions=INSTRUCTIONS,
        enable_deletes=True,  # off by default; inserts and updates are on
    )
    known: list[Any] = []
    for said in (LIKES, CHANGES_OF_MIND):
        print("###", *said)
        known = manager.invoke({"messages": from_user(said), "existing": known})
        for memory in known:
            print(memory.id, repr(memory.content))


if __name__ == "__main__":
    main()
