"""Files: upload, sharing, and download by the app and by people."""

import base64
import re
from functools import partial
from http import HTTPStatus
from urllib.parse import quote

from aiohttp import web

from slack_playground.objects import mimetype
from slack_playground.records import File
from slack_playground.settings import DOWNLOAD
from slack_playground.slack import BOT_TOKEN, Slack
from slack_playground.workspace import Workspace

FILE_BYTES = 15 * 1024 * 1024
_ORIGIN = "files-origin"
_PLAIN = re.compile(r"[^\w.() -]", re.ASCII)


def receive(file: File, content: bytes) -> None:
    """Store the bytes of a file, which ends its upload."""
    file.content = base64.b64encode(content).decode()
    file.size = len(content)
    file.ticket = ""


def may_see(workspace: Workspace, user: str, file: File) -> bool:
    """Whether a person uploaded a file, or is in a conversation where it was shared."""
    if file.owner == user:
        return True
    channels = [workspace.channel(channel) for channel in file.channels]
    return any(user in channel.members for channel in channels)


def add_file_routes(app: web.Application, slack: Slack) -> None:
    """Add the routes for uploading and downloading files."""
    app.router.add_post("/upload/v1/{ticket}", partial(_upload, slack))
    for place in ("files-pri", _ORIGIN):
        app.router.add_get(f"/{place}/{{file}}/{{path:.+}}", partial(_for_app, slack))
    app.router.add_get("/_playground/files/{file}", partial(_for_person, slack))


async def _upload(slack: Slack, request: web.Request) -> web.StreamResponse:
    """Accept the bytes for an upload URL, once, and only as many as were announced."""
    ticket = request.match_info["ticket"]
    file = _announced(slack, ticket)
    if file is None:
        return web.Response(status=404, text="There is no such upload.")
    content = await _content(request)
    if len(content) != file.announced:
        text = f"{file.announced} bytes were announced, {len(content)} came."
        return web.Response(status=400, text=text)
    receive(file, content)
    return web.Response(text=f"OK - {file.size}")


def _announced(slack: Slack, ticket: str) -> File | None:
    for file in slack.workspace.files.values():
        if file.ticket == ticket:
            return file
    return None


async def _for_app(slack: Slack, request: web.Request) -> web.StreamResponse:
    """Return a file that the app can see; a request without access is redirected to sign-in.

    A fault with the status 302 redirects to an address that requires the token again.
    """
    team, _, file_id = request.match_info["file"].partition("-")
    _need_access(slack, request, team)
    fault = slack.faults.take(DOWNLOAD)
    if fault is not None and fault.status == HTTPStatus.FOUND:
        path = request.match_info["path"]
        raise web.HTTPFound(f"/{_ORIGIN}/{team}-{file_id}/{path}")
    if fault is not None and fault.status:
        return fault.response()
    file = slack.workspace.files.get(file_id)
    bot = slack.identity.bot_user_id
    if file is None or not may_see(slack.workspace, bot, file):
        raise web.HTTPNotFound(text="There is no such file.")
    return _download(file)


def _need_access(slack: Slack, request: web.Request, team: str) -> None:
    """Redirect to sign-in, unless the token of a request may read the files of `team`."""
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
    installation = slack.installation
    is_accepted = bearer == BOT_TOKEN and not installation.refused
    allowed = is_accepted and "files:read" in installation.granted
    if not allowed or team != slack.identity.team_id:
        raise web.HTTPFound("/")


async def _for_person(slack: Slack, request: web.Request) -> web.StreamResponse:
    """Return a file that the person can see."""
    workspace = slack.workspace
    file = workspace.files.get(request.match_info["file"])
    user = request.query.get("user", "")
    if file is None or file.content is None or user not in workspace.users:
        return web.json_response({"error": "There is no such file."}, status=404)
    if not may_see(workspace, user, file):
        return web.json_response({"error": f"{user} cannot see that file."}, status=403)
    return _download(file)


async def _content(request: web.Request) -> bytes:
    """The bytes of an upload: the body itself, or the one file of a form."""
    if request.content_type != "multipart/form-data":
        return await request.read()
    form = await request.post()
    for part in form.values():
        if isinstance(part, web.FileField):
            return part.file.read()
    return b""


def _download(file: File) -> web.Response:
    plain = _PLAIN.sub("_", file.name)
    whole = quote(file.name, safe="")
    return web.Response(
        body=base64.b64decode(file.content or ""),
        content_type=mimetype(file),
        headers={
            "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )
