"""What a person tells is remembered, built on, changed and kept apart."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.e2e.messages import Human, Reply, Said, told
from tests.e2e.world import World


@dataclass
class Talk:
    """One person's way of talking with the app: in direct messages, by mention, in a thread."""

    world: World
    place: str
    human: Human
    channel: str = "dm"
    root: Said | None = field(default=None)

    @classmethod
    def of(cls, world: World, place: str, locale: str = "ja-JP") -> Talk:
        human = world.human("Aki", locale=locale)
        talk = cls(world, place, human)
        if place != "dm":
            talk.channel = world.channel("public", human)
        if place == "thread":
            talk.root = world.say(human, "<@BOT> hello", channel=talk.channel)
            world.reply(talk.root)
        return talk

    @property
    def audience(self) -> str:
        return "dm" if self.place == "dm" else "public"

    def ask(self, text: str) -> Reply:
        mention = "<@BOT> " if self.place == "mention" else ""
        return self.world.ask(self.human, f"{mention}{text}", channel=self.channel, under=self.root)

    def food(self) -> dict[str, str]:
        """Wait for formation; return the key of each food's memory."""
        rows = self.world.formed(self.human)
        assert {row["value"]["kind"] for row in rows} <= {"UserFoodPreference"}
        assert {row["prefix"] for row in rows} <= {
            f"chat.{self.world.team}.{self.human.id}.{self.audience}"
        }
        assert [v["key"] for v in self.world.vectors(self.human)] == sorted(
            row["key"] for row in rows
        )
        return {row["value"]["content"]["food_name"]: row["key"] for row in rows}


PLACES = pytest.mark.parametrize("place", ["dm", "mention", "thread"])

TECH = {
    "ja": (
        "クラウドサービス全般に興味があり、"
        "特にAWS、Azureの基本的な知識を徐々に深めていきたいと思っています",
        "新しく気になる技術として、"
        "AIエージェントを活用した取り組みにも強い興味を持つようになりました",
        "おすすめの技術トピックを3つ挙げて簡潔にまとめて！",
        ("AWS", "Azure", "エージェント"),
    ),
    "en": (
        "I'm interested in AWS and Azure",
        "I'm also really interested in AI agents",
        "Recommend three technology topics for me, in a sentence each.",
        ("AWS", "Azure", "agents"),
    ),
}
FOOD = {
    "ja": (
        ("ラーメンが大好きです!!", "パスタも好きです"),
        ("ラーメンは味噌ラーメンが好き", "パスタは嫌いになりました"),
        ("ラーメン", "パスタ", "味噌"),
        "今日のランチは何を食べようかな？",
    ),
    "en": (
        ("I love ramen!!", "I like pasta too"),
        ("For ramen, I like miso ramen", "I don't like pasta anymore"),
        ("ramen", "pasta", "miso"),
        "What shall I eat for lunch?",
    ),
}


@PLACES
@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_tech_story_is_remembered_and_built_on(world: World, place: str, language: str) -> None:
    """The answer builds on AWS, Azure and AI agents, kept in store and store_vectors."""
    cloud, agents, question, wanted = TECH[language]
    talk = Talk.of(world, place, f"{language}-XX")
    talk.ask(cloud)
    talk.ask(agents)
    rows = world.formed(talk.human)
    reply = talk.ask(question)
    assert all(set(row["value"]) >= {"kind", "content"} for row in rows)
    assert {row["value"]["kind"] for row in rows} == {"UserTechInterest"}
    assert {row["prefix"] for row in rows} == {f"chat.{world.team}.{talk.human.id}.{talk.audience}"}
    topics = " ".join(row["value"]["content"]["topic"] for row in rows)
    assert [topic for topic in wanted if topic not in topics] == []
    assert [topic for topic in wanted if topic not in reply.text] == []
    vectors = world.vectors(talk.human)
    assert {(v["prefix"], v["key"]) for v in vectors} == {(r["prefix"], r["key"]) for r in rows}
    assert {v["size"] for v in vectors} == {256}


@PLACES
@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_food_story_updates_one_row_and_removes_another(
    world: World, place: str, language: str
) -> None:
    """Miso ramen changes the row of ramen, its key kept; pasta's row and vector go."""
    first, second, (ramen, pasta, miso), question = FOOD[language]
    talk = Talk.of(world, place, f"{language}-XX")
    for text in first:
        talk.ask(text)
    before = talk.food()
    for text in second:
        talk.ask(text)
    after = talk.food()
    assert set(before) == {ramen, pasta}
    assert list(after.values()) == [before[ramen]]
    [content] = world.contents(talk.human)
    assert miso in str(content)
    assert miso in talk.ask(question).text


@pytest.mark.one_mode
def test_another_person_gets_nothing_of_it(world: World) -> None:
    """Another person's answer, and all the model was told for it, know nothing of it."""
    cloud, agents, question, wanted = TECH["ja"]
    aki = world.human("Aki", locale="ja-JP")
    bo = world.human("Bo", locale="ja-JP")
    general = world.channel("public", aki, bo)
    world.ask(aki, cloud)
    world.ask(aki, f"<@BOT> {agents}", channel=general)
    world.formed(aki)
    for reply in (world.ask(bo, question), world.ask(bo, f"<@BOT> {question}", channel=general)):
        assert [topic for topic in wanted if topic in reply.text] == []
    prompts = world.prompts(question)
    assert len(prompts) == 2
    assert [topic for topic in wanted for prompt in prompts if topic in told(prompt)] == []
    assert world.formed(bo) == []
