"""The HTTP side: OpenAI's routes, with faults and the journal."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from openai_double import checks, embeddings, request_types
from openai_double.answer import Answer, make_answer
from openai_double.chat import completion
from openai_double.checks import MODELS
from openai_double.control import PACED_SETTINGS, Control, Exchange, take
from openai_double.errors import ApiError, bad_request
from openai_double.prompt import Prompt, from_chat, from_responses
from openai_double.request_types import Endpoint
from openai_double.responses import ResponseWriter
from openai_double.streaming import Dropped, pause, pause_from, reset, stream
from openai_double.types import Json

_MAX_BODY: Final = 32 * 1024 * 1024
_PROMPTS: Final = {"responses": from_responses, "chat": from_chat}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answering = Callable[[web.Request, Exchange], Awaitable[web.StreamResponse]]


def unscripted(_prompt: Prompt) -> Answer:
    """Return the answer to a request that no script matches."""
    return make_answer("No script answers this request.")


def only_kind(_prompt: Prompt) -> str:
    """Return the kind of a request for a program that has only one kind."""
    return "reply"


def create_app(
    answer: Callable[[Prompt], Answer] = unscripted, **more: Any
) -> web.Application:
    """An application with nothing but the double; `more` as for `add_routes`."""
    app = web.Application()
    add_routes(app, answer, **more)
    return app


def add_routes(
    app: web.Application,
    answer: Callable[[Prompt], Answer] = unscripted,
    *,
    kind_of: Callable[[Prompt], str] = only_kind,
    kinds: tuple[str, ...] = ("reply",),
    models: Mapping[str, int] = {},
    paced: bool = False,
) -> None:
    """Add OpenAI's routes under ``/v1`` and the controls under ``/_model`` to `app`.

    `answer` answers requests that no script matches. `kind_of` returns the kind of a request, one
    of `kinds`; faults and scripts with a `kind` apply to such requests only, and the journal has
    it. `models` are further models, as in `checks.MODELS`. With `paced`, the double uses the
    settings `PACED_SETTINGS` until they are changed.
    """
    control = Control(kinds)
    if paced:
        control.settings = PACED_SETTINGS
    server = _Server(
        control=control, answer=answer, kind_of=kind_of, models={**MODELS, **models}
    )
    app.on_startup.append(_begin_loading)
    app.router.add_post("/v1/responses", server.handler("responses", server.text))
    app.router.add_post("/v1/chat/completions", server.handler("chat", server.text))
    app.router.add_post(
        "/v1/embeddings", server.handler("embeddings", server.embeddings)
    )
    control.add_routes(app)


async def _begin_loading(_app: web.Application) -> None:
    """Load the request types in a thread while the server already listens."""
    asyncio.get_running_loop().run_in_executor(None, request_types.load)


@dataclass(kw_only=True)
class _Server:
    """The handlers of OpenAI's endpoints, around one `Control`."""

    control: Control
    answer: Callable[[Prompt], Answer]
    kind_of: Callable[[Prompt], str]
    models: Mapping[str, int]

    def handler(self, endpoint: Endpoint, answering: Answering) -> Handler:
        """Return the handler of an endpoint: bearer, OpenAI's errors, a line in the journal."""

        async def handle(request: web.Request) -> web.StreamResponse:
            exchange = Exchange(endpoint)
            started = time.perf_counter()
            status = 0
            try:
                checks.check_bearer(request)
                response = await answering(request, exchange)
                status = response.status
            except ApiError as error:
                status = error.status
                exchange.answer = error.body()
                response = error.response()
                self.control.record("error", endpoint, json.dumps(exchange.answer))
            except (Dropped, ConnectionResetError):
                exchange.answer["dropped"] = True
                response = web.Response()
            else:
                if isinstance(response, web.Response):
                    self.control.record("object", endpoint, response.text or "")
            finally:
                self.control.journal.add(
                    started=started,
                    body=exchange.body,
                    endpoint=endpoint,
                    kind=exchange.kind,
                    status=status,
                    answer=exchange.answer,
                )
            return response

        return handle

    async def text(
        self, request: web.Request, exchange: Exchange
    ) -> web.StreamResponse:
        """`POST /v1/responses` and `POST /v1/chat/completions`."""
        body, prompt = await self._read(request, exchange)
        checks.check_model(body, self.models, embeddings=False)
        checks.check_parameters(body)
        checks.check_reasoning(body)
        checks.check_tool_choice(prompt)
        answer = self._answer_to(prompt, exchange)
        exchange.answer = answer.summary()
        settings = self.control.settings
        if exchange.endpoint == "chat":
            whole = completion(body, answer, prompt.tokens)
        else:
            writer = ResponseWriter(
                body,
                answer,
                prompt.tokens,
                fault=exchange.fault,
                reasons=settings.reasoning,
            )
            if body.get("stream"):
                return await stream(request, exchange, writer, self.control)
            whole = writer.whole()
        await pause_from(exchange.began, settings.first_token_ms)
        return web.json_response(whole)

    def _answer_to(self, prompt: Prompt, exchange: Exchange) -> Answer:
        script = take(self.control.scripts, exchange, prompt.last_user_text)
        if script is None:
            return self.answer(prompt)
        return script.answer(prompt.last_user_text)

    async def embeddings(
        self, request: web.Request, exchange: Exchange
    ) -> web.StreamResponse:
        """`POST /v1/embeddings`."""
        body, _ = await self._read(request, exchange)
        checks.check_model(body, self.models, embeddings=True)
        dimensions = self.models[body["model"]]
        answer = embeddings.answer(body, dimensions)
        exchange.answer = {
            "embeddings": len(answer["data"]),
            "tokens": answer["usage"]["total_tokens"],
        }
        await pause_from(exchange.began, self.control.settings.embedding_ms)
        return web.json_response(answer)

    async def _read(
        self, request: web.Request, exchange: Exchange
    ) -> tuple[Json, Prompt]:
        """The checked body and its prompt, after any fault for the request was applied."""
        # Not `request.read`: the application with these routes may set a smaller limit.
        data = await request.content.read()
        if len(data) > _MAX_BODY:
            raise ApiError(
                status=413, message="The request body is larger than 32 MiB."
            )
        text = data.decode("utf-8", "replace")
        exchange.body = text
        try:
            body = json.loads(text)
        except ValueError:
            raise bad_request(
                "We could not parse the JSON body of your request."
            ) from None
        exchange.body = body
        self.control.record("request", exchange.endpoint, text)
        types = await asyncio.to_thread(request_types.load)
        request_types.check(types[exchange.endpoint], body)
        prompt = Prompt()
        if exchange.endpoint != "embeddings":
            prompt = _PROMPTS[exchange.endpoint](body)
            exchange.kind = self.kind_of(prompt)
        await self._apply_fault(request, exchange, prompt.last_user_text)
        return body, prompt

    async def _apply_fault(
        self, request: web.Request, exchange: Exchange, text: str
    ) -> None:
        """Delay, hold or refuse a request with this last user text, as a fault says."""
        fault = take(self.control.faults, exchange, text)
        exchange.fault = fault
        if fault is None:
            return
        await pause(fault.delay_ms)
        if fault.hold:
            await self.control.hold()
        exchange.began = time.perf_counter()
        if fault.drop:
            reset(request)
        if fault.error is not None:
            raise fault.error
