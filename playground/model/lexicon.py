"""The words the rules know: dishes with their cuisine, technologies with their field."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

Domain = Literal["food", "tech"]

_FOOD_JA: Final = {
    "和食": (
        "ラーメン うどん そば 蕎麦 寿司 すし 鮨 刺身 天ぷら 天丼 親子丼 牛丼 カツ丼 丼 "
        "とんかつ トンカツ おにぎり 味噌汁 焼き鳥 焼鳥 焼き魚 焼肉 すき焼き しゃぶしゃぶ おでん 鍋 "
        "うなぎ 鰻 お好み焼き たこ焼き 焼きそば 納豆 豆腐 漬物 梅干し 餅 抹茶 日本酒 カレーうどん "
        "和食 和菓子 お茶漬け 煮物 唐揚げ からあげ 海鮮丼 つけ麺 そうめん 日本料理"
    ),
    "洋食": (
        "パスタ スパゲッティ スパゲティ カルボナーラ ペペロンチーノ オムライス ハンバーグ "
        "ハンバーガー ステーキ グラタン シチュー コロッケ サンドイッチ パン チーズ サラダ "
        "スープ 洋食 フライドポテト オムレツ トースト ベーグル パエリア"
    ),
    "イタリアン": "ピザ リゾット ラザニア ティラミス ジェラート イタリアン イタリア料理",
    "フレンチ": "フレンチ フランス料理 クロワッサン ガレット キッシュ",
    "中華": (
        "餃子 炒飯 チャーハン 麻婆豆腐 酢豚 小籠包 担々麺 青椒肉絲 春巻き 点心 北京ダック 火鍋 "
        "中華 中華料理 シュウマイ 焼売 エビチリ 回鍋肉"
    ),
    "カレー": "カレー ナン ビリヤニ インド料理",
    "エスニック": "パクチー フォー ガパオ パッタイ トムヤムクン グリーンカレー 生春巻き タコス "
    "タイ料理 ベトナム料理 メキシコ料理 エスニック",
    "韓国料理": "キムチ ビビンバ チヂミ サムギョプサル 冷麺 トッポギ 韓国料理",
    "スイーツ": "ケーキ アイス アイスクリーム チョコレート チョコ プリン クッキー ドーナツ パフェ "
    "クレープ 甘いもの スイーツ パンケーキ",
    "飲み物": "コーヒー 紅茶 緑茶 お茶 ビール ワイン 牛乳 ジュース カフェラテ",
    "": "肉 魚 野菜 果物 フルーツ 卵 玉子 海老 えび エビ 蟹 かに カニ 牛肉 豚肉 鶏肉 鮭 サーモン "
    "マグロ まぐろ トマト なす ナス きのこ ピーマン にんじん 玉ねぎ りんご みかん いちご バナナ "
    "辛いもの 辛い料理 ピーナッツ ナッツ 小麦 乳製品 甲殻類 牡蠣 米 ご飯 ごはん 麺 麺類 "
    "食べ物 料理",
}

_FOOD_EN: Final = {
    "Japanese": (
        "ramen udon soba sushi sashimi tempura tonkatsu onigiri yakitori sukiyaki okonomiyaki "
        "takoyaki natto miso bento gyudon katsudon donburi matcha sake teriyaki unagi mochi"
    ),
    "Italian": (
        "pasta pizza lasagna lasagne risotto spaghetti carbonara gnocchi tiramisu gelato pesto "
        "ravioli minestrone"
    ),
    "Chinese": (
        "dumpling gyoza dimsum dim-sum mapo tofu wonton fried-rice hotpot baozi chow-mein "
        "peking-duck"
    ),
    "Indian": "curry naan biryani dal dosa samosa paneer tikka masala tandoori",
    "Thai": "pad-thai tom-yum green-curry satay",
    "Vietnamese": "pho banh-mi",
    "Korean": "kimchi bibimbap bulgogi tteokbokki",
    "Mexican": "taco burrito quesadilla enchilada guacamole nacho salsa",
    "French": "croissant quiche ratatouille crepe baguette souffle",
    "American": "burger hamburger hot-dog barbecue bbq pancake bagel donut doughnut",
    "Middle Eastern": "falafel hummus shawarma kebab",
    "Spanish": "paella tapas gazpacho",
    "": (
        "food dish cuisine meal breakfast lunch dinner snack dessert soup salad sandwich noodle "
        "rice bread cheese cake pie cookie chocolate ice-cream candy fruit apple banana orange "
        "strawberry mango grape vegetable tomato potato onion garlic mushroom eggplant carrot "
        "broccoli spinach cilantro coriander avocado olive meat beef pork chicken lamb steak "
        "bacon ham sausage fish salmon tuna shrimp prawn crab lobster oyster shellfish seafood "
        "egg milk dairy yogurt butter nut peanut almond walnut wheat gluten soy tea coffee beer "
        "wine juice soda latte espresso smoothie bean lentil oatmeal cereal spicy sweets stew "
        "roast fries waffle toast sauce honey pepper"
    ),
}

_TECH: Final = {
    ("AI", "AI"): (
        "AI 人工知能 生成AI AIエージェント エージェント LLM GPT ChatGPT 機械学習 深層学習 "
        "ディープラーニング RAG LangChain LangGraph LangMem 自然言語処理 画像認識 プロンプト "
        "agents AI-agents machine-learning deep-learning generative-AI language-models NLP "
        "computer-vision PyTorch TensorFlow neural-networks prompt-engineering OpenAI Claude MCP"
    ),
    ("クラウド", "cloud"): (
        "クラウド クラウドサービス AWS Azure GCP サーバーレス Lambda S3 EC2 Aurora Cloudflare "
        "cloud cloud-computing serverless Google-Cloud"
    ),
    ("インフラ", "infrastructure"): (
        "インフラ Kubernetes k8s Docker コンテナ Terraform Linux CI/CD DevOps SRE Ansible "
        "Prometheus 監視 オブザーバビリティ containers observability infrastructure Helm Nix"
    ),
    ("プログラミング言語", "programming language"): (
        "プログラミング プログラミング言語 Python Rust Go Golang Java JavaScript TypeScript Ruby "
        "PHP Kotlin Swift Scala Haskell Elixir Erlang C C++ C# Zig Julia R COBOL Perl Lua OCaml "
        "Clojure programming WebAssembly Wasm"
    ),
    ("フロントエンド", "front end"): (
        "フロントエンド React Vue Vue.js Angular Svelte Next.js CSS HTML Tailwind frontend "
        "front-end"
    ),
    ("バックエンド", "back end"): (
        "バックエンド Django FastAPI Flask Rails Spring Node.js GraphQL REST gRPC マイクロサービス "
        "backend back-end microservices API"
    ),
    ("データベース", "database"): (
        "データベース PostgreSQL Postgres MySQL MongoDB Redis SQL pgvector SQLite Snowflake "
        "BigQuery database databases vector-databases ベクトルデータベース DynamoDB Kafka"
    ),
    ("セキュリティ", "security"): (
        "セキュリティ ゼロトラスト 暗号 security cryptography cybersecurity zero-trust"
    ),
    ("ネットワーク", "network"): "ネットワーク 5G IPv6 network networking WebRTC",
    ("先端技術", "emerging technology"): (
        "量子コンピューティング 量子コンピュータ 量子コンピューター ブロックチェーン Web3 IoT VR "
        "AR メタバース ロボット ロボティクス 自動運転 quantum-computing blockchain robotics "
        "quantum metaverse self-driving"
    ),
}

_TECH_ENDINGS: Final = (
    "技術", "開発", "プログラミング", "エンジニアリング", "アーキテクチャ", "フレームワーク",
    "programming", "engineering", "framework", "computing", "architecture", "development",
)  # fmt: skip


def _table(source: dict[str, str]) -> dict[str, str]:
    return {
        normalise(word.replace("-", " ")): group
        for group, words in source.items()
        for word in words.split()
    }


def normalise(text: str) -> str:
    """The form in which two names are compared: NFKC, casefolded, single spaces."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def singular(name: str) -> str:
    """`name` normalised, without an English plural."""
    word = normalise(name)
    if not word.isascii() or len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("oes", "shes", "ches", "xes")):
        return word[:-2]
    return word.removesuffix("s")


_CUISINE: Final = _table(_FOOD_JA) | {
    singular(word): group for word, group in _table(_FOOD_EN).items()
}
_FIELD: Final = {
    singular(word.replace("-", " ")): fields
    for fields, words in _TECH.items()
    for word in words.split()
}
_JAPANESE: Final = re.compile(r"[ぁ-ゖァ-ヺ一-鿿]")


def is_japanese(text: str) -> bool:
    """Whether `text` holds kana or kanji."""
    return bool(_JAPANESE.search(text))


def cuisine_of(name: str) -> str | None:
    """The cuisine of a dish, ``""`` for food of no cuisine, None if it is not known as food."""
    word = singular(name)
    if word in _CUISINE:
        return _CUISINE[word]
    if is_japanese(word):
        endings = [known for known in _CUISINE if len(known) > 1 and word.endswith(known)]
        endings += [known for known in "丼鍋麺飯肉魚" if word.endswith(known)]
        return _CUISINE.get(max(endings, key=len), "") if endings else None
    words = word.split()
    for size in (2, 1):
        if singular(" ".join(words[-size:])) in _CUISINE:
            return _CUISINE[singular(" ".join(words[-size:]))]
    return next((_CUISINE[singular(one)] for one in words if singular(one) in _CUISINE), None)


def field_of(name: str) -> tuple[str, str] | None:
    """The field of a technology in Japanese and English, None if it is not known as one."""
    word = singular(name)
    if word in _FIELD:
        return _FIELD[word]
    parts = re.findall(r"[a-z0-9+#./]+|[ァ-ヺー]+|[一-鿿]+", word)
    for part in parts:
        if singular(part) in _FIELD and (len(part) > 1 or len(parts) == 1):
            return _FIELD[singular(part)]
    if word.endswith(_TECH_ENDINGS):
        return ("技術", "technology")
    return None


def domain_of(name: str) -> Domain | None:
    """What kind of thing `name` is, None if the words are not known."""
    if singular(name) in _FIELD:
        return "tech"
    if cuisine_of(name) is not None:
        return "food"
    return "tech" if field_of(name) else None
