"""A web search: a separate request to the Responses API that contains only the query."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from babel.core import get_global

from bot.answering.limits import shorten
from bot.answering.links import is_web_address
from bot.answering.output_items import printable, text_of
from bot.logs import fault
from bot.models.failures import ReplyFailed
from bot.models.model import Model, tokens_of
from bot.types import COMMENTARY, Citation
from memory.formation import TokenUse
from memory.model import Json, framed, objects
from memory.tools import function_tool, read_arguments

log = logging.getLogger(__name__)

SEARCH_TOOL = "search_web"
SEARCH_DEFINITION = function_tool(
    SEARCH_TOOL,
    "Search the web, for what is recent or you do not know. The search sees the query alone:"
    " put nothing personal into it.",
    {"query": {"type": "string"}},
    ["query"],
)
MAX_SOURCES = 10
QUERY_CHARACTERS = 200
_RESULT_TOKENS = 3_000
_SEARCH_SECONDS = 60.0  # for the whole search
_MAX_OUTPUT_TOKENS = 8_000  # reasoning included
# They would end a link early.
_TO_TARGET = str.maketrans({"(": "%28", ")": "%29"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The result of a search: `output` for the model, the cited pages, and the tokens used."""

    output: str
    citations: tuple[Citation, ...] = ()
    tokens: TokenUse = field(default_factory=Counter)


async def search_web(
    model: Model, query: str, *, identifier: str, zone: str
) -> SearchResult:
    """Search the web; if the search fails, the output tells the model so.

    `identifier` identifies the person to the provider, as in the request for the answer. `zone`
    is the person's time zone: the search is told its country.

    Source: https://platform.openai.com/docs/guides/tools-web-search
    """
    if not query:
        return _failed("`query` is empty: write what to search for.")
    # Without a country OpenAI assumes the USA.
    place = {"type": "approximate"}
    if country := get_global("zone_territories").get(zone):
        place["country"] = country
    body = {
        "model": model.name,
        "input": [{"type": "message", "role": "user", "content": query}],
        "tools": [{"type": "web_search", "user_location": place}],
        "max_output_tokens": _MAX_OUTPUT_TOKENS,
        "store": False,
        "safety_identifier": identifier,
    }
    try:
        async with asyncio.timeout(_SEARCH_SECONDS):
            response = await model.whole(body)
    except (ReplyFailed, TimeoutError) as error:
        log.warning("a web search failed: %s", fault(error))
        return _failed("The web search failed. Answer without it, and say so.")
    if not isinstance(response, dict):
        response = {}
    tokens = tokens_of(response, model.name)
    items = objects(response.get("output"))
    messages = [
        one
        for one in items
        # Commentary is no result.
        if one.get("type") == "message" and one.get("phase") != COMMENTARY
    ]
    texts = filter(None, map(text_of, messages))
    text = printable("\n\n".join(texts))
    # Where the model answered without a search, what it says and cites is no result of one.
    searches = [one for one in items if one.get("type") == "web_search_call"]
    if not text or all(one.get("status") != "completed" for one in searches):
        return _failed(
            "The web search found nothing. Answer without it, and say so.", tokens
        )
    citations = _cited(messages)[:MAX_SOURCES]
    sources = [{"title": one.title, "url": one.url} for one in citations]
    output = framed({"result": shorten(text, _RESULT_TOKENS), "sources": sources})
    return SearchResult(output=output, citations=citations, tokens=tokens)


def query_in(arguments: str) -> str:
    """Return the query in the arguments of a tool call, or ""."""
    query = (read_arguments(arguments) or {}).get("query")
    return query if isinstance(query, str) else ""


def _failed(sentence: str, tokens: TokenUse | None = None) -> SearchResult:
    output = framed({"error": sentence})
    return SearchResult(output=output, tokens=tokens or Counter())


def _cited(messages: Sequence[Json]) -> tuple[Citation, ...]:
    """Return the pages that are cited, each once."""
    cited: dict[str, Citation] = {}
    for message in messages:
        for part in objects(message.get("content")):
            for annotation in objects(part.get("annotations")):
                match annotation:
                    case {"type": "url_citation", "url": str(url)} if is_web_address(
                        url
                    ):
                        title = printable(str(annotation.get("title") or url))
                        target = url.translate(_TO_TARGET)
                        cited.setdefault(target, Citation(url=target, title=title))
    return tuple(cited.values())
