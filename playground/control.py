"""The control API under /_playground/: what people do, what may go wrong, what was seen."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Literal

from aiohttp import web

from playground.control_input import BadRequestError, Input
from playground.delivery import Delivery
from playground.faults import Fault
from playground.people_control import PeopleControl
from playground.records import Channel, Json, Message, View
from playground.server_sent import stream_updates
from playground.slack import Slack
from playground.workspace import NotFoundError, new_id

PREFIX = "/_playground"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """Serves the control API."""

    def __init__(self, slack: Slack, *, with_model: bool) -> None:
        self._slack = slack
        self._with_model = with_model
        self._people = PeopleControl(slack)

    def add_routes(self, app: web.Application) -> None:
        """Add every route of the control API."""
        gets: dict[str, Callable[[web.Request], Json]] = {
            "state": self.state,
            "channels/{id}/messages": self.messages,
            "home": self.home,
            "views": self.views,
            "calls": self.calls,
            "deliveries": self.deliveries,
            "faults": self.faults,
            "settings": self.settings,
        }
        posts: dict[str, Callable[[Input], Awaitable[Json]]] = {
            **self._people.posts,
            "messages": self.say,
            "messages/edit": self.edit,
            "messages/delete": self.delete,
            "commands": self.command,
            "actions": self.action,
            "shortcuts": self.shortcut,
            "views/submit": self.submit,
            "views/close": self.close,
            "stop": self.stop,
            "home/open": self.open_home,
            "events": self.event,
            "faults": self.add_fault,
            "delivery": self.set_delivery,
            "settings": self.set_settings,
            "socket/disconnect": self.disconnect,
        }
        for path, get in gets.items():
            app.router.add_get(f"{PREFIX}/{path}", self._get(get))
        for path, post in posts.items():
            app.router.add_post(f"{PREFIX}/{path}", self._post(post))
        app.router.add_delete(f"{PREFIX}/faults", self._post(self.clear_faults))
        app.router.add_get(f"{PREFIX}/updates", self._updates)

    @staticmethod
    def _get(handler: Callable[[web.Request], Json]) -> Handler:
        async def wrapped(request: web.Request) -> web.StreamResponse:
            try:
                return web.json_response(handler(request))
            except PermissionError as error:
                return web.json_response({"error": str(error)}, status=403)
            except (ValueError, NotFoundError) as error:
                return web.json_response({"error": str(error)}, status=400)

        return wrapped

    @staticmethod
    def _post(handler: Callable[[Input], Awaitable[Json]]) -> Handler:
        async def wrapped(request: web.Request) -> web.StreamResponse:
            try:
                return web.json_response(await handler(await Input.read(request)))
            except PermissionError as error:
                return web.json_response({"error": str(error)}, status=403)
            except (ValueError, NotFoundError) as error:
                return web.json_response({"error": str(error)}, status=400)

        return wrapped

    # What was seen

    def state(self, _request: web.Request) -> Json:
        """Everyone and every conversation, the ids of team, app and bot, open connections."""
        slack, workspace = self._slack, self._slack.workspace
        bot = workspace.identity.bot_user_id
        return {
            **asdict(workspace.identity),
            "app_name": slack.manifest.name,
            "stand_in_model": self._with_model,
            "delivery": slack.deliveries.mode,
            "connections": slack.socket_mode.connections,
            "deliveries_waiting": slack.deliveries.waiting,
            "calls": slack.calls.count,
            "commands": [vars(command) for command in slack.manifest.commands.values()],
            "suggested_prompts": list(slack.manifest.suggested_prompts),
            "users": [
                {**vars(user), "is_app": user.id == bot} for user in workspace.users.values()
            ],
            "channels": [
                {
                    "id": channel.id,
                    "name": channel.name,
                    "kind": channel.kind,
                    "is_private": channel.is_private,
                    "is_im": channel.kind == "im",
                    "is_mpim": channel.kind == "mpim",
                    "is_shared": channel.shared,
                    "is_archived": channel.archived,
                    "has_app": bot in channel.members,
                    "members": channel.members,
                }
                for channel in workspace.channels.values()
            ],
        }

    def _as(self, request: web.Request) -> str:
        user = request.query.get("as", "")
        return self._slack.workspace.user(user).id

    def messages(self, request: web.Request) -> Json:
        """A conversation as one person sees it: replies and their ephemerals in order of time."""
        user = self._as(request)
        slack = self._slack
        name = request.match_info["id"]
        channel = slack.workspace.open_dm(user) if name == "dm" else slack.workspace.channel(name)
        if channel.is_private and user not in channel.members:
            raise PermissionError(f"{user} is not in {channel.id}.")
        everyone = slack.workspace.history(channel.id)
        mine = slack.workspace.ephemerals.get(channel.id, {}).values()
        seen = [*everyone, *(message for message in mine if message.only_for == user)]
        seen.sort(key=lambda message: message.ts)
        return {
            "channel": channel.id,
            "messages": [self._shown(message) for message in seen],
            "threads": [vars(thread) for thread in slack.workspace.threads_in(channel.id)],
        }

    def _shown(self, message: Message) -> Json:
        self._slack.posting.settle(message, self._slack.settings.stream_seconds)
        body = {**message.body, **self._slack.workspace.thread_facts(message)}
        if message.metadata is not None:
            body["metadata"] = message.metadata
        if message.stream:
            body |= {"streaming": message.stream == "live", "stream_state": message.stream}
        return body

    def home(self, request: web.Request) -> Json:
        """A person's Home tab, null if none was published."""
        view = self._slack.workspace.homes.get(self._as(request))
        return {"view": None if view is None else view.body}

    def views(self, request: web.Request) -> Json:
        """A person's stack of modals, the one on top last."""
        stack = self._slack.workspace.open_views(self._as(request))
        return {"views": [view.body for view in stack]}

    def calls(self, request: web.Request) -> Json:
        """Every Web API call after number `since`, or only those of one `method`."""
        since = Input({"since": request.query.get("since", "0")}).integer("since")
        method = request.query.get("method")
        found = self._slack.calls.since(since)
        return {
            "calls": [vars(call) for call in found if method in (None, call.method)],
            "last": self._slack.calls.count,
        }

    def deliveries(self, request: web.Request) -> Json:
        """Everything sent to the app after number `since`, and how it was answered."""
        since = Input({"since": request.query.get("since", "0")}).integer("since")
        found = [d for d in self._slack.deliveries.record if d.number > since]
        return {
            "deliveries": [vars(delivery) for delivery in found],
            "last": self._slack.deliveries.count,
            "waiting": self._slack.deliveries.waiting,
        }

    def faults(self, _request: web.Request) -> Json:
        """The faults still to come."""
        return {"faults": [vars(fault) for fault in self._slack.faults.waiting]}

    def settings(self, _request: web.Request) -> Json:
        """The settings."""
        deliveries = self._slack.deliveries
        return {
            **vars(self._slack.settings),
            "retry_delays": list(deliveries.retry_delays),
            "ack_seconds": deliveries.patience,
        }

    async def _updates(self, request: web.Request) -> web.StreamResponse:
        return await stream_updates(request, self._slack.updates)

    # What people do

    def _place(self, given: Input, user: str) -> Channel:
        """The conversation a request names, "dm" being that person's with the app."""
        workspace = self._slack.workspace
        name = given.text("channel")
        channel = workspace.open_dm(user) if name == "dm" else workspace.channel(name)
        if user not in channel.members:
            raise BadRequestError(f"{user} is not in {channel.id}.")
        if channel.archived:
            raise BadRequestError(f"{channel.id} is archived.")
        return channel

    def _message(self, given: Input, user: str) -> Message:
        """The message a request names by its ts, an ephemeral one only for its own person."""
        channel = self._place(given, user)
        name = "message_ts" if "message_ts" in given.content else "ts"
        ts = given.text(name)
        own = self._slack.workspace.ephemerals.get(channel.id, {}).get(ts)
        if own is not None:
            if own.only_for != user:
                raise PermissionError(f"{user} cannot see that message.")
            return own
        return self._slack.workspace.message(channel.id, ts)

    async def say(self, given: Input) -> Json:
        """Somebody writes a message; delivery goes on in the background."""
        workspace = self._slack.workspace
        user = workspace.user(given.text("user"))
        if user.deleted:
            raise BadRequestError(f"{user.id} has left the workspace.")
        channel = self._place(given, user.id)
        thread_ts = given.optional("thread_ts")
        if thread_ts is not None and workspace.message(channel.id, thread_ts).is_reply:
            raise BadRequestError("thread_ts must be the parent of the thread.")
        text = given.text("text", default="").replace(
            "<@BOT>", f"<@{workspace.identity.bot_user_id}>"
        )
        parts = {name: given.objects(name) for name in ("blocks", "attachments", "files")}
        if not text and not any(parts.values()):
            raise BadRequestError("text is missing: a message says something.")
        message = self._slack.posting.typed(user, channel, text, thread_ts=thread_ts, **parts)
        return {"channel": channel.id, "ts": message.ts}

    def _own(self, given: Input) -> Message:
        user = self._slack.workspace.user(given.text("user"))
        message = self._message(given, user.id)
        if message.body.get("user") != user.id:
            raise PermissionError(f"{user.id} did not write that message.")
        return message

    async def edit(self, given: Input) -> Json:
        """Somebody edits their message."""
        message = self._own(given)
        self._slack.posting.edit(message, given.text("text"))
        return {"channel": message.channel, "ts": message.ts}

    async def delete(self, given: Input) -> Json:
        """Somebody deletes their message."""
        message = self._own(given)
        self._slack.posting.delete(message)
        return {"channel": message.channel, "ts": message.ts}

    async def command(self, given: Input) -> Json:
        """Somebody types a slash command; answers with what its ack carried."""
        user = self._slack.workspace.user(given.text("user"))
        channel = self._place(given, user.id)
        name = given.text("command")
        command = self._slack.manifest.commands.get(name)
        if command is None:
            raise BadRequestError(f"{name} is not a command of this app.")
        if given.optional("thread_ts") is not None:
            raise BadRequestError("Slash commands do not work in threads.")
        text = given.text("text", default="").strip()
        if command.should_escape:
            text = self._slack.posting.escaped(text)
        return _outcome(await self._slack.interactions.command(user, channel, name, text))

    async def action(self, given: Input) -> Json:
        """Somebody clicks something in a message they can see, or in a view of theirs."""
        user = self._slack.workspace.user(given.text("user"))
        self._interactive()
        place: Message | View
        if given.optional("view_id") is not None:
            place = self._view(given, user.id)
        else:
            place = self._message(given, user.id)
        delivery = await self._slack.interactions.click(
            user,
            place,
            given.text("action_id"),
            block_id=given.optional("block_id"),
            value=given.content.get("value"),
        )
        return _outcome(delivery)

    def _interactive(self) -> None:
        if not self._slack.manifest.interactivity:
            raise BadRequestError("The app's manifest has interactivity switched off.")

    def _view(self, given: Input, user: str) -> View:
        view = self._slack.workspace.views.get(given.text("view_id"))
        if view is None or view.closed:
            raise BadRequestError("That view is not open.")
        if view.user != user:
            raise PermissionError(f"{user} cannot see that view.")
        return view

    async def shortcut(self, given: Input) -> Json:
        """Somebody uses a global shortcut, or one on a message."""
        user = self._slack.workspace.user(given.text("user"))
        self._interactive()
        callback_id = given.text("callback_id")
        shortcut = self._slack.manifest.shortcuts.get(callback_id)
        if shortcut is None:
            raise BadRequestError(f"{callback_id} is not a shortcut of this app.")
        message = self._message(given, user.id) if shortcut.kind == "message" else None
        return _outcome(await self._slack.interactions.shortcut(user, callback_id, message))

    async def submit(self, given: Input) -> Json:
        """Somebody submits a modal."""
        self._interactive()
        view_id = given.text("view_id")
        owner = self._slack.workspace.views.get(view_id)
        user = given.text("user", default=owner.user if owner is not None else "")
        view = self._view(given, user)
        values = given.content.get("values", {})
        if not isinstance(values, dict):
            raise BadRequestError("values must be an object.")
        person = self._slack.workspace.user(user)
        return _outcome(await self._slack.interactions.submit(person, view, values))

    async def close(self, given: Input) -> Json:
        """Somebody closes a modal."""
        user = self._slack.workspace.user(given.text("user"))
        delivery = await self._slack.interactions.close(user, self._view(given, user.id))
        return {"ok": True} if delivery is None else _outcome(delivery)

    async def stop(self, given: Input) -> Json:
        """Somebody presses Stop in a thread the app is working in."""
        slack = self._slack
        user = slack.workspace.user(given.text("user"))
        channel = self._place(given, user.id)
        thread_ts = given.text("thread_ts")
        if "agent_session_stopped" not in slack.manifest.events:
            raise BadRequestError(
                "There is no Stop button: the app listens to no agent_session_stopped."
            )
        thread = slack.workspace.thread(channel.id, thread_ts)
        live = [
            message
            for message in slack.workspace.replies(channel.id, thread_ts)
            if message.stream == "live"
        ]
        if not live and thread.session != "processing" and not thread.status:
            raise BadRequestError("There is no Stop button: the app is not working in that thread.")
        for message in live:
            slack.posting.stop_stream(message)
        stopped = [message.ts for message in live]
        slack.events.emit(
            {
                "type": "agent_session_stopped",
                "channel": channel.id,
                "user": user.id,
                "thread_ts": thread_ts,
                "streaming_message_ts": stopped,
                "event_ts": slack.workspace.next_ts(),
            },
            channel,
        )
        return {"streaming_message_ts": stopped}

    async def open_home(self, given: Input) -> Json:
        """Somebody opens the app's Home or Messages tab."""
        slack = self._slack
        user = slack.workspace.user(given.text("user"))
        tab = given.text("tab", default="home")
        enabled = {"home": slack.manifest.home_tab, "messages": slack.manifest.messages_tab}
        if not enabled.get(tab):
            raise BadRequestError(f"The app has no {tab} tab.")
        channel = slack.workspace.open_dm(user.id)
        event: Json = {
            "type": "app_home_opened",
            "user": user.id,
            "channel": channel.id,
            "tab": tab,
            "event_ts": slack.workspace.next_ts(),
        }
        home = slack.workspace.homes.get(user.id)
        if tab == "home" and home is not None:
            event["view"] = home.body
        return {"sent": slack.events.emit(event)}

    # What may go wrong

    async def event(self, given: Input) -> Json:
        """Deliver a raw event body any number of times; a body without an envelope gets one."""
        raw = given.content.get("raw")
        if not isinstance(raw, dict):
            raise BadRequestError("raw must be an event body.")
        body: Json = raw if "event" in raw or "type" not in raw else self._slack.events.wrap(raw)
        copies = given.integer("deliveries", default=1)
        if copies < 1:
            raise BadRequestError("deliveries must be at least 1.")
        sent = self._slack.deliveries.send_event(
            body, copies=copies, delay=given.number("delay_ms", default=0) / 1000
        )
        return {"event_id": body.get("event_id"), "deliveries": [d.number for d in sent]}

    async def add_fault(self, given: Input) -> Json:
        """Order a fault of Web API calls."""
        times = given.content.get("times", 1)
        fault = Fault(
            method=given.text("method"),
            error=given.text("error", default=""),
            status=given.integer("status", default=0),
            drop=_drop(given),
            delay_ms=given.number("delay_ms", default=0),
            times=None if times is None else given.integer("times", default=1),
            retry_after=given.integer("retry_after", default=0) or None,
            chance=given.number("chance", default=1),
        )
        if sum(map(bool, (fault.error, fault.status, fault.drop))) > 1:
            raise BadRequestError("A fault has one of error, status and drop.")
        if not (fault.error or fault.status or fault.drop or fault.delay_ms):
            raise BadRequestError("A fault needs error, status, drop or delay_ms.")
        self._slack.faults.add(fault)
        return {"faults": len(self._slack.faults.waiting)}

    async def clear_faults(self, _given: Input) -> Json:
        """Forget every fault still to come."""
        self._slack.faults.clear()
        return {"faults": 0}

    async def set_delivery(self, given: Input) -> Json:
        """Choose Socket Mode or HTTP, and how many copies of each event arrive."""
        slack = self._slack
        deliveries = slack.deliveries
        mode = given.text("mode", default=deliveries.mode)
        if mode not in ("socket", "http"):
            raise BadRequestError('mode is "socket" or "http".')
        url = given.text("url", default=slack.http.url)
        if mode == "http":
            given.check_loopback(url)
            slack.http.url = url
            if given.content.get("verify") and not await slack.http.challenge(new_id("V")):
                raise BadRequestError(f"{url} did not answer the url_verification challenge.")
        deliveries.mode = mode
        if "deliveries" in given.content:
            deliveries.copies = given.span("deliveries")
        deliveries.jitter = given.number("jitter_ms", default=deliveries.jitter * 1000) / 1000
        return {"mode": mode, "url": slack.http.url, "deliveries": list(deliveries.copies)}

    async def set_settings(self, given: Input) -> Json:
        """Change settings; what is not named stays."""
        settings, deliveries = self._slack.settings, self._slack.deliveries
        known = {*vars(settings), "retry_delays", "ack_seconds"}
        if unknown := sorted(given.content.keys() - known):
            raise BadRequestError(f"There is no setting {unknown[0]!r}; there are {sorted(known)}.")
        if "rate_limits" in given.content:
            settings.rate_limits = bool(given.content["rate_limits"])
        settings.stream_seconds = given.number("stream_seconds", default=settings.stream_seconds)
        settings.stream_characters = given.integer(
            "stream_characters", default=settings.stream_characters
        )
        deliveries.patience = given.number("ack_seconds", default=deliveries.patience)
        if "retry_delays" in given.content:
            deliveries.retry_delays = given.numbers("retry_delays")
        return {**vars(settings)}

    async def disconnect(self, given: Input) -> Json:
        """End every Socket Mode connection."""
        reason = given.text("reason", default="refresh_requested")
        if reason not in ("warning", "refresh_requested", "drop"):
            raise BadRequestError('reason is "warning", "refresh_requested" or "drop".')
        return {"connections": await self._slack.socket_mode.disconnect(reason)}


def _drop(given: Input) -> Literal["", "before", "after"]:
    match given.text("drop", default=""):
        case "" | "before" | "after" as drop:
            return drop
    raise BadRequestError('drop is "before" or "after".')


def _outcome(delivery: Delivery) -> Json:
    """What a person learns of a command or click: whether it was acked, and with what."""
    last = delivery.attempts[-1]
    return {
        "ok": delivery.outcome == "acked",
        "ack": last.get("answer"),
        "reason": last.get("reason"),
        "ms": last.get("ms"),
        "delivery": delivery.number,
    }
