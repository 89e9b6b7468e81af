"""Web search: a separate request to the Responses API that contains only the query."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import openai

from bot.logs import fault
from bot.prompt import framed, shortened
from bot.written import Citation

log = logging.getLogger(__name__)

SEARCH_TOOL = "search_web"
DEFINITION: dict[str, Any] = {
    "type": "function",
    "name": SEARCH_TOOL,
    "description": (
        "Search the web, for what is recent or you do not know. The search sees the query alone:"
        " put nothing personal into it."
    ),
    "parameters": {
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
        "additionalProperties": False,
    },
    "strict": False,
}
MAX_SOURCES = 10
_QUERY_CHARACTERS = 400
_RESULT_TOKENS = 3_000
_SECONDS = 60.0
_DICT: Any = object  # makes the SDK return the parsed JSON unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of a search: `output` for the model, the cited pages, and the tokens used."""

    output: str
    citations: tuple[Citation, ...] = ()
    tokens: int = 0
    failed: bool = False


async def search_web(
    client: openai.AsyncOpenAI, query: str, *, model: str, identifier: str
) -> Found:
    """Search the web; if the search fails, the output tells the model so.

    `identifier` identifies the person to the provider, as in the request for the answer.

    Source: https://platform.openai.com/docs/guides/tools-web-search
    """
    if not query:
        return _failed("`query` is empty: write what to search for.")
    body = {
        "model": model,
        "input": query[:_QUERY_CHARACTERS],
        "tools": [{"type": "web_search"}],
        "store": False,
        "safety_identifier": identifier,
    }
    try:
        response = await client.with_options(timeout=_SECONDS).post(
            "/responses", body=body, cast_to=_DICT
        )
    except openai.OpenAIError as error:
        log.warning("a web search failed: %s", fault(error))
        return _failed("The web search failed. Answer without it, and say so.")
    response = response if isinstance(response, dict) else {}
    tokens = int((response.get("usage") or {}).get("total_tokens") or 0)
    parts = list(_texts(response))
    text = "\n\n".join(str(part["text"]) for part in parts if part["text"])
    if not text:
        return _failed("The web search found nothing. Answer without it, and say so.", tokens)
    citations: dict[str, Citation] = {}
    for citation in (one for part in parts for one in _cited(part)):
        citations.setdefault(citation.url, citation)
    kept = tuple(citations.values())[:MAX_SOURCES]
    sources = [{"title": one.title, "url": one.url} for one in kept]
    output = framed({"result": shortened(text, _RESULT_TOKENS), "sources": sources})
    return Found(output=output, citations=kept, tokens=tokens)


def query_in(arguments: str) -> str:
    """Return the query in the arguments of a tool call, or ""."""
    try:
        given = json.loads(arguments or "{}")
    except ValueError:
        return ""
    return str(given.get("query") or "").strip() if isinstance(given, dict) else ""


def _failed(sentence: str, tokens: int = 0) -> Found:
    return Found(output=framed({"error": sentence}), tokens=tokens, failed=True)


def _texts(response: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the text parts of a response."""
    for item in response.get("output") or ():
        if item.get("type") == "message":
            yield from (part for part in item["content"] if part.get("type") == "output_text")


def _cited(part: Mapping[str, Any]) -> Iterator[Citation]:
    for annotation in part.get("annotations") or ():
        url = str(annotation.get("url") or "")
        if annotation.get("type") == "url_citation" and url.startswith(("http://", "https://")):
            yield Citation(url=url, title=str(annotation.get("title") or url))
