"""What a person tells is remembered, built on, changed and kept apart."""

from __future__ import annotations

from tests.e2e.messages import told
from tests.e2e.world import World

CLOUD = (
    "クラウドサービス全般に興味があり、"
    "特にAWS、Azureの基本的な知識を徐々に深めていきたいと思っています"
)
AGENTS = (
    "新しく気になる技術として、AIエージェントを活用した取り組みにも強い興味を持つようになりました"
)
TOPICS = "おすすめの技術トピックを3つ挙げて簡潔にまとめて！"
WANTED = ("AWS", "Azure", "エージェント")


def test_tech_story_is_remembered_and_built_on(http_world: World) -> None:
    """The answer builds on AWS, Azure and AI agents, kept in store and store_vectors."""
    world = http_world
    aki = world.human("Aki", locale="ja-JP")
    channel = world.channel("public", aki)
    for text in (CLOUD, AGENTS):
        world.ask(aki, f"<@BOT> {text}", channel=channel)
    rows = world.formed(aki)
    reply = world.ask(aki, f"<@BOT> {TOPICS}", channel=channel)
    assert {row["value"]["kind"] for row in rows} == {"UserTechInterest"}
    assert {row["prefix"] for row in rows} == {f"chat.{world.team}.{aki.id}.public"}
    topics = " ".join(row["value"]["content"]["topic"] for row in rows)
    assert [topic for topic in WANTED if topic not in topics or topic not in reply.text] == []
    vectors = world.vectors(aki)
    assert {(v["prefix"], v["key"]) for v in vectors} == {(r["prefix"], r["key"]) for r in rows}


def test_food_story_updates_one_row_and_removes_another(world: World) -> None:
    """Miso ramen changes the row of ramen, its key kept; pasta's row and vector go."""
    ann = world.human()
    for text in ("I love ramen!!", "I like pasta too"):
        world.ask(ann, text)
    before = {row["value"]["content"]["food_name"]: row["key"] for row in world.formed(ann)}
    for text in ("For ramen, I like miso ramen", "I don't like pasta anymore"):
        world.ask(ann, text)
    [after] = world.formed(ann)
    assert set(before) == {"ramen", "pasta"}
    assert after["key"] == before["ramen"]
    assert [vector["key"] for vector in world.vectors(ann)] == [before["ramen"]]
    assert "miso" in str(world.contents(ann))
    assert "miso" in world.ask(ann, "What shall I eat for lunch?").text


def test_two_people_in_one_thread_are_kept_apart(world: World) -> None:
    """Each is remembered for themself and answered from their own memories."""
    ann, bo = world.human(), world.human("Bo")
    general = world.channel("public", ann, bo)
    root = world.say(ann, "<@BOT> I love ramen", channel=general)
    world.reply(root)
    world.ask(bo, "<@BOT> I love sushi", under=root)
    for human, food in ((ann, "ramen"), (bo, "sushi")):
        assert [content["food_name"] for content in world.formed_contents(human)] == [food]
    other = world.say(ann, "<@BOT> hello", channel=general)
    world.reply(other)
    questions = {ann: "What shall I eat now?", bo: "And what shall I eat?"}
    said = {
        human: world.say(human, f"<@BOT> {text}", under=other) for human, text in questions.items()
    }
    for human, own, foreign in ((ann, "ramen", "sushi"), (bo, "sushi", "ramen")):
        world.handled(said[human])
        [prompt] = world.prompts(questions[human])
        memories = told(prompt).split("<memories>")[2].split("</memories>")[0]
        reply = world.turns(said[human])[0]["reply"]
        assert (own in reply, foreign in reply) == (True, False)
        assert (own in memories, foreign in memories) == (True, False)
