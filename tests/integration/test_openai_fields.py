"""The fields of a request that only OpenAI's own address gets."""

from __future__ import annotations

import json

import openai

from tests.integration.responses_server import (
    ALICE,
    DONE,
    PROMPT,
    LookTool,
    ResponsesServer,
    Shown,
    create_replier,
    delta,
)

BREAKPOINT = "prompt_cache_breakpoint"


async def test_a_refusal_of_breakpoints_leaves_everything_else() -> None:
    """They are sent to OpenAI's address alone, and from the first refusal on to nobody."""
    server = ResponsesServer([delta("Ramen."), DONE], refuses="prompt_cache_key")
    where = f"input[0].content[0].{BREAKPOINT}"
    server.refused = {
        "message": f"Unknown parameter: '{where}'.",
        "type": "invalid_request_error",
        "param": where,
        "code": "unknown_parameter",
    }
    async with server.client() as other:
        proxy = str(other.base_url).removesuffix("/v1/")
        through = openai.DefaultAioHttpClient(proxy=proxy, trust_env=False)
        async with openai.AsyncOpenAI(
            api_key="x", base_url="http://api.openai.com/v1", http_client=through
        ) as client:
            replier = create_replier(client, effort="low")
            for _ in range(2):
                shown = Shown()
                await replier.reply(ALICE, PROMPT, shown, LookTool())
                assert shown.text == "Ramen."
        await create_replier(other).reply(ALICE, PROMPT, Shown())
    first, *later = server.requests
    assert json.dumps(first).count(BREAKPOINT) == 3
    assert not any("prompt_cache" in json.dumps(one) for one in later)
    assert len(later) == 3
    for sent in later[:2]:
        dropped = first.keys() - sent.keys()
        assert dropped == {"prompt_cache_key"}
        assert sent["store"] is False
