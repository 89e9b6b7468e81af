"""Memory Manager: memories are extracted, changed and removed, and nothing is stored.

Article: 「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26), "Memory Manager".

Changed since then: `gpt-4o-2024-11-20` is being shut down, so the model is `gpt-6-luna`; and
pydantic's `conint(...)` has become `Annotated[int, Field(...)]`, which type checkers understand.
"""

from collections.abc import Sequence
from typing import Annotated

from langmem import create_memory_manager  # type: ignore[import-untyped]
from pydantic import BaseModel, Field

from examples.environment import MEMORY_MODEL, use_model


class UserFoodPreference(BaseModel):
    """ユーザーの食の好みの詳細情報"""

    food_name: str = Field(..., description="料理名")
    cuisine: str | None = Field(None, description="料理のタイプ（和食、洋食、中華など）")
    preference: Annotated[int, Field(ge=0, le=100)] | None = Field(
        None, description="好きの度合い（0～100のスコアで表現）"
    )
    description: str | None = Field(
        None, description="その他の補足説明（例えば、特定の味付けや具材など）"
    )


def print_memory(num: int, memories: Sequence[object]) -> None:
    """長期記憶を出力"""
    print(f"### conversation:{num}")
    for memory in memories:
        print(memory)


def main() -> None:
    """Tell it two likes, then let one change and the other go."""
    use_model()
    # Memory Manager生成
    manager = create_memory_manager(
        f"openai:{MEMORY_MODEL}",  # 記憶抽出や更新に使うモデル
        schemas=[UserFoodPreference],
        instructions="ユーザーの好みを詳細に抽出してください。"
        "好みの`preference`を0に更新する場合は記憶から削除(RemoveDoc)してください",
        enable_inserts=True,  # 記憶追加: デフォルトTrue
        enable_updates=True,  # 記憶更新: デフォルトTrue
        enable_deletes=True,  # 記憶削除: デフォルトFalse
    )

    # 追加
    conversation = [
        {"role": "user", "content": "ラーメンが大好きです!!"},
        {"role": "user", "content": "パスタも好きです"},
    ]
    memories = manager.invoke({"messages": conversation})
    print_memory(1, memories)

    # 更新 or 削除
    conversation = [
        {"role": "user", "content": "ラーメンは味噌ラーメンが好き"},
        {"role": "user", "content": "パスタは嫌いになりました"},
    ]
    memories = manager.invoke({"messages": conversation, "existing": memories})
    print_memory(2, memories)


if __name__ == "__main__":
    main()
