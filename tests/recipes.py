"""The edits that follow the recipes of CONTRIBUTING.md, by the title of the recipe."""

from __future__ import annotations

from dataclasses import dataclass

_EN, _JA, _DE = (f"bot/locale/{code}/LC_MESSAGES/kioku.po" for code in ("en", "ja", "de"))


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Inserts `text` into `file` before the one place where `before` is; with `replaces`, there.

    Without `before` the file is new: a copy of `copied_from`, or `text`.
    """

    file: str
    text: str = ""
    before: str = ""
    replaces: bool = False
    copied_from: str = ""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Edits, and a program that fails unless what they add works.

    The commands that a recipe names, such as `make docs-reference`, are run after the edits.
    """

    edits: tuple[Edit, ...]
    shows: str


def _said(file: str, **texts: str) -> Edit:
    """Add texts to a catalogue."""
    lines = (f'msgid "{key}"\nmsgstr "{text}"\n\n' for key, text in texts.items())
    return Edit(file=file, before='msgid "kind_instruction"', text="".join(lines))


def _rows(english: str, japanese: str) -> tuple[Edit, Edit]:
    """Add a control to the pages that list them, in both languages."""
    test = "`tests/integration/test_own_commands.py::test_add_forms_what_was_typed`"
    return (
        Edit(
            file="docs/controls.md",
            before="| Search | `/memories search ramen`",
            text=f"| See what to try | `{english}` | “what can I try?” | {test} |\n",
        ),
        Edit(
            file="docs/controls.ja.md",
            before="| 検索する | `/memories 検索 ラーメン`",
            text=f"| 試すことを見る | `{japanese}` | 「何を試せますか？」 | {test} |\n",
        ),
    )


RECIPES: dict[str, Recipe] = {
    "Add a kind of memory": Recipe(
        edits=(
            Edit(
                file="memory/model/schemas.py",
                before="SCHEMAS: tuple[type[BaseModel], ...] = (\n",
                text='class UserPet(BaseModel):\n    """本人が飼っているペット"""\n\n'
                '    name: str = Field(..., description="ペットの名前（例：ポチ）")\n'
                '    species: str | None = Field(None, description="動物の種類（例：犬）")\n'
                '    fondness: Score | None = Field(None, description="どれくらい好きか")\n'
                '    born: int | None = Field(None, description="生まれた年（例：2019）")\n\n\n',
            ),
            Edit(
                file="memory/model/schemas.py",
                before="    Episode,\n)",
                text="    UserPet,\n",
            ),
            Edit(
                file="memory/formation/former.py",
                before='    "UserFact": "other facts',
                text='    "UserPet": "pets that they have",\n',
            ),
            Edit(
                file="bot/views/labels.py",
                before='    "Episode": "kind_episode",\n',
                text='    "UserPet": "kind_pet",\n',
            ),
            Edit(
                file="bot/views/labels.py",
                before='    "result": "field_result",\n',
                text="".join(
                    f'    "{name}": "field_{name}",\n'
                    for name in ("name", "species", "fondness", "born")
                ),
            ),
            _said(
                _EN,
                kind_pet="Pets",
                field_name="Name",
                field_species="Animal",
                field_fondness="How much you like it",
                field_born="Year of birth",
            ),
            _said(
                _JA,
                kind_pet="ペット",
                field_name="名前",
                field_species="動物",
                field_fondness="どれくらい好きか",
                field_born="生まれた年",
            ),
            Edit(
                file="docs/how-to/own-schemas.md",
                before="`.\nA form shows at most six",
                text=",UserPet",
            ),
            Edit(
                file="docs/tutorials/own-kind.md",
                before=",my_kinds:Book\n",
                text=",UserPet",
            ),
        ),
        shows="from memory import load_schemas\n"
        "from bot.views.forms import memory_form\n"
        "from bot.views.labels import describe\n"
        "from memory.formation.former import instructions_for\n"
        "from memory.model.schemas import level\n"
        "from memory.store.duplicates import _FACTS\n"
        "[pet] = [schema for schema in load_schemas(None) if schema.__name__ == 'UserPet']\n"
        "pochi = {'name': 'Pochi', 'species': 'dog', 'fondness': 95, 'born': 2019}\n"
        "line = describe('en', 'UserPet', pochi)\n"
        "assert line == 'Pochi (Animal: dog, Year of birth: 2019)'\n"
        "assert describe('ja', 'UserPet', pochi) == 'Pochi（動物：dog、生まれた年：2019）'\n"
        "assert level('UserPet', {**pochi, 'fondness': 0}) == 0\n"
        "assert 'pets that they have' in instructions_for([pet])\n"
        "assert 'UserPet' in _FACTS\n"
        "for content in ({}, pochi):\n"
        "    blocks = memory_form('en', pet, content)['blocks']\n"
        "    labels = [block['label']['text'] for block in blocks]\n"
        "    assert labels == ['Name', 'Animal', 'How much you like it', 'Year of birth']\n"
        "    steps = [option['value'] for option in blocks[2]['element']['options']]\n"
        "    assert steps == ['20', '60', '95'], steps\n",
    ),
    "Add a use of /memories": Recipe(
        edits=(
            Edit(
                file="bot/views/subcommands.py",
                before='    Subcommand(words=("history",',
                text='    Subcommand(words=("tips", "ヒント"), usage="usage_tips"),\n',
            ),
            Edit(
                file="bot/views/subcommands.py",
                before='        "about_history":',
                text='        "about_tips": (_NAMED["tips"],),\n',
            ),
            Edit(
                file="bot/memories/commands.py",
                before='            "history": self.changes.history,\n',
                text='            "tips": self._tips,\n',
            ),
            Edit(
                file="bot/memories/commands.py",
                before="    async def forget(self",
                text="    async def _tips(self, person: Person, language: Language, *_: str)"
                " -> Payload:\n"
                "        del person\n"
                '        return ephemeral_payload(say(language, "tips"))\n\n',
            ),
            _said(
                _EN,
                usage_tips="/memories tips",
                about_tips="what to try first",
                tips="Tell me what you like, and ask me for a plan.",
            ),
            _said(
                _JA,
                usage_tips="/memories ヒント",
                about_tips="最初に試すこと",
                tips="好きなものを教えて、計画を頼んでみてください。",
            ),
            *_rows("/memories tips", "/memories ヒント"),
        ),
        shows="from bot.views.subcommands import help_groups, parse_memories\n"
        "assert parse_memories('tips')[0].name == parse_memories('ヒント')[0].name == 'tips'\n"
        "assert any('/memories tips' in group for group in help_groups('en'))\n",
    ),
    "Add a slash command": Recipe(
        edits=(
            Edit(
                file="manifest.yml",
                before="oauth_config:\n",
                text="    - command: /tips\n      description: What to try first\n"
                '      usage_hint: " "\n      should_escape: false\n',
            ),
            Edit(
                file="bot/listeners/commands.py",
                before="    @app.message_shortcut(REMEMBER_THIS)\n",
                text='    @app.command("/tips")\n'
                "    async def tips(ack: AsyncAck, respond: AsyncRespond, command: dict[str, Any])"
                " -> None:\n"
                "        await ack()\n"
                "        work = partial(_typed, commands.tips, command)\n"
                "        await responder.respond(command, respond, work)\n\n",
            ),
            Edit(
                file="bot/memories/commands.py",
                before="    async def forget(self",
                text="    async def tips(self, person: Person, language: Language, *_: str)"
                " -> Payload:\n"
                '        """Answer ``/tips``."""\n'
                "        del person\n"
                '        return ephemeral_payload(say(language, "tips"))\n\n',
            ),
            _said(_EN, tips="Tell me what you like, and ask me for a plan."),
            _said(_JA, tips="好きなものを教えて、計画を頼んでみてください。"),
            *_rows("/tips", "/tips"),
        ),
        shows="from bot.memories.commands import SlashCommands\n"
        "assert callable(SlashCommands.tips)\n",
    ),
    "Add a setting": Recipe(
        edits=(
            Edit(
                file="bot/config.py",
                before="    data_dir: Path = Field(",
                text='    greeting: str | None = Field(None, alias="KIOKU_GREETING",'
                " max_length=80)\n",
            ),
            Edit(
                file="bot/config.py",
                before='    "KIOKU_LOG_LEVEL": "debug',
                text='    "KIOKU_GREETING": "at most 80 characters",\n',
            ),
            Edit(
                file=".env.example",
                before="# What is logged at least: debug, info, warning or error\n",
                text="# What Kioku says first in a conversation; empty: nothing\nKIOKU_GREETING=\n",
            ),
            Edit(
                file="bot/home/suggested_prompts.py",
                before="    access: AccessControl\n",
                text="    greeting: str | None\n",
            ),
            Edit(
                file="bot/runtime/wiring.py",
                before="            web_search=settings.web_search and",
                text="            greeting=settings.greeting,\n",
            ),
            Edit(
                file="CHANGELOG.md",
                before="Dates are ISO 8601.\n",
                text="Dates are ISO 8601.\n\n## Unreleased\n\n### Added\n\n"
                "- `KIOKU_GREETING` is what Kioku says first in a conversation.\n",
                replaces=True,
            ),
            Edit(
                file="tests/unit/test_config.py",
                before='    ("KIOKU_HISTORY_DAYS", "1", 1),\n',
                text='    ("KIOKU_GREETING", "Hello", "Hello"),\n',
            ),
        ),
        shows="import ast, pathlib\n"
        "from bot.config import SettingsError, load_settings\n"
        "from bot.home.suggested_prompts import SuggestedPrompts\n"
        "wiring = ast.parse(pathlib.Path('bot/runtime/wiring.py').read_text('utf-8'))\n"
        "[call] = [one for one in ast.walk(wiring) if isinstance(one, ast.Call)"
        " and ast.unparse(one.func) == SuggestedPrompts.__name__]\n"
        "assert 'greeting' in {given.arg for given in call.keywords}\n"
        "assert 'greeting' in SuggestedPrompts.__dataclass_fields__\n"
        "assert load_settings({'KIOKU_GREETING': 'Hi'}, dotenv=None).greeting == 'Hi'\n"
        "try:\n"
        "    load_settings({'KIOKU_GREETING': 'x' * 81}, dotenv=None)\n"
        "except SettingsError as error:\n"
        "    assert 'at most 80 characters' in str(error)\n"
        "else:\n"
        "    raise AssertionError\n",
    ),
    "Add a view": Recipe(
        edits=(
            Edit(
                file="bot/views/tips.py",
                text='"""Tips: one message, with a button that shows another tip."""\n\n'
                "from __future__ import annotations\n\n"
                "from bot.locale import Language, say\n"
                "from bot.views.blocks import Payload, button, question_payload\n\n"
                'TIP_ACTION = "next_tip"\n\n\n'
                "def tip(language: Language) -> Payload:\n"
                '    """Return a tip with its button."""\n'
                '    more = button(TIP_ACTION, say(language, "tip_next"), "next")\n'
                '    return question_payload(say(language, "tip_plan"), more)\n',
            ),
            Edit(
                file="bot/listeners/actions.py",
                before="from bot.views.import_export import ",
                text="from bot.views.tips import TIP_ACTION, tip\n",
            ),
            Edit(
                file="bot/listeners/actions.py",
                before="        EXPORT_ACTION: modals.exporting.exported,\n",
                text="        TIP_ACTION: _next_tip,\n",
            ),
            Edit(
                file="bot/listeners/actions.py",
                before="def _name(action",
                text="async def _next_tip(_: Person, language: Language, value: str) -> Payload:\n"
                "    del value\n"
                "    return tip(language)\n\n\n",
            ),
            Edit(
                file="tests/lint/test_text_fields.py",
                before='        "memories_next memories_previous',
                text='        "tip_next "\n',
            ),
            _said(_EN, tip_next="Next Tip", tip_plan="Ask me for a plan."),
            _said(_JA, tip_next="次のヒント", tip_plan="計画を頼んでみてください。"),
        ),
        shows="from bot.views.tips import TIP_ACTION, tip\n"
        "import bot.listeners.actions\n"
        "assert tip('ja')['blocks'][1]['elements'][0]['action_id'] == TIP_ACTION\n",
    ),
    "Add a language": Recipe(
        edits=(
            Edit(file=_DE, copied_from=_EN),
            Edit(
                file="bot/locale/__init__.py",
                before='Literal["en", "ja"]',
                text='Literal["en", "ja", "de"]',
                replaces=True,
            ),
            Edit(
                file="bot/locale/__init__.py",
                before='"ja": "日本語"}',
                text='"ja": "日本語", "de": "Deutsch"}',
                replaces=True,
            ),
            *(
                Edit(
                    file="bot/views/dates.py",
                    before=f'{name} = {{"en": ',
                    text=f'{name} = {{"de": "{form}", "en": ',
                    replaces=True,
                )
                for name, form in (
                    ("_DAY", "long"),
                    ("_MINUTE", "d. MMMM y, HH:mm"),
                    ("_TIME", "HH:mm"),
                )
            ),
        ),
        shows="from datetime import UTC, datetime\n"
        "from bot.locale import language_of, say\n"
        "from bot.views.dates import plain_minute\n"
        "assert language_of('de-AT') == 'de' and say('de', 'only_you')\n"
        "moment = datetime(2026, 11, 21, 13, 5, tzinfo=UTC)\n"
        "assert plain_minute(moment, UTC, 'de') == '21. November 2026, 13:05'\n",
    ),
}
