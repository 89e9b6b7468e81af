"""The words that are known as food, drinks and technologies, and the comparison of names."""
# ruff: noqa: E501 - a kind is one line

from __future__ import annotations

import re
import unicodedata
from typing import Final

_WORDS: Final = {
    "food": "ramen udon soba sushi sashimi tempura tonkatsu onigiri natto okonomiyaki takoyaki miso mochi pasta pizza lasagna risotto spaghetti gelato "
    "soup salad sandwich noodle rice bread cheese cake chocolate fruit apple banana tomato potato onion mushroom olive meat steak beef pork chicken "
    "fish salmon shrimp oyster shellfish egg milk nut peanut almond wheat gluten soy tofu taco curry naan "
    "ラーメン うどん そば 寿司 刺身 天ぷら 丼 とんかつ おにぎり 味噌汁 焼き鳥 焼肉 鍋 うなぎ お好み焼き 納豆 豆腐 餅 唐揚げ "
    "パスタ オムライス ハンバーグ ステーキ グラタン シチュー コロッケ パン チーズ サラダ スープ 餃子 炒飯 チャーハン カレー ピザ ケーキ "
    "肉 魚 野菜 果物 卵 えび 海老 かに りんご オリーブ 辛いもの 甘いもの ピーナッツ 小麦 わさび パクチー キムチ 麺",
    "drink": "tea matcha coffee beer wine お茶 紅茶 抹茶 コーヒー ビール ワイン",
    "tech": "AI 生成AI AIエージェント エージェント agent LLM 機械学習 RAG LangChain LangGraph クラウド クラウドサービス AWS Azure GCP Lambda cloud serverless "
    "Kubernetes Docker Terraform Linux Python Rust Go Java JavaScript TypeScript Ruby Kotlin Swift Elixir Zig COBOL プログラミング programming "
    "Django FastAPI Rails GraphQL React Vue データベース PostgreSQL MySQL Redis SQL SQLite database",
}  # fmt: skip


def is_japanese(text: str) -> bool:
    """Return whether `text` contains kana or kanji."""
    return re.search(r"[ぁ-ゖァ-ヺ一-鿿]", text) is not None


def normalise(text: str) -> str:
    """Return `text` normalised for comparison: NFKC, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def singular(name: str) -> str:
    """`name` normalised, without an English plural."""
    word = normalise(name)
    if not word.isascii() or len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    return word[:-2] if word.endswith(("oes", "shes", "ches")) else word.removesuffix("s")


_KIND: Final = {singular(word): kind for kind in _WORDS for word in _WORDS[kind].split()}
JAPANESE: Final = tuple(word for word in _KIND if is_japanese(word))
"""The known words that contain kana or kanji."""


def kind_of(name: str) -> str:
    """Return ``food``, ``drink``, ``tech``, or ``""`` for an unknown word.

    The whole name is looked up, else its end, else one of its words.
    """
    word = singular(name)
    ends = sorted((one for one in JAPANESE if word.endswith(one)), key=len)
    parts = map(singular, reversed(re.findall(r"[a-z0-9+#]{3,}|[ァ-ヺー]{2,}|[一-鿿]{2,}", word)))
    return next((_KIND[one] for one in [word, *ends[-1:], *parts] if one in _KIND), "")
