"""Files: upload, sharing, and download by the app and by people."""

import base64
import mimetypes
import re
import time
from http import HTTPStatus
from urllib.parse import quote

from aiohttp import web

from slack_playground.records import File, Json, new_id
from slack_playground.settings import DOWNLOAD
from slack_playground.slack import Slack
from slack_playground.workspace import NotFoundError, Workspace

_ORIGIN = "files-origin"
FILE_BYTES = 15 * 1024 * 1024
_PLAIN = re.compile(r"[^\w.() -]")


def add_file(workspace: Workspace, *, owner: str, name: str, content: bytes | None) -> File:
    """Add a file of a person, or without `content` one the app is about to upload."""
    file = File(
        id=new_id("F"),
        name=name,
        owner=owner,
        created=int(time.time()),
        content=None if content is None else base64.b64encode(content).decode(),
        size=0 if content is None else len(content),
    )
    workspace.files[file.id] = file
    return file


def file_object(slack: Slack, file: File) -> Json:
    """The file object of messages, and of what a form was submitted with."""
    team = slack.workspace.identity.team_id
    extension = file.name.rpartition(".")[2].lower() if "." in file.name else "text"
    private = f"{slack.url}/files-pri/{team}-{file.id}"
    name = quote(file.name.lower())
    return {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.title or file.name,
        "mimetype": _mimetype(file),
        "filetype": extension,
        "pretty_type": extension.upper(),
        "user": file.owner,
        "user_team": team,
        "editable": False,
        "size": file.size,
        "mode": "hosted",
        "is_external": False,
        "external_type": "",
        "is_public": False,
        "public_url_shared": False,
        "url_private": f"{private}/{name}",
        "url_private_download": f"{private}/download/{name}",
        "permalink": f"https://playground.slack.com/files/{file.owner}/{file.id}/{name}",
        "has_rich_preview": False,
        "file_access": "visible",
    }


def may_see(workspace: Workspace, user: str, file: File) -> bool:
    """Whether a person uploaded a file, or is where it was shared."""
    return file.owner == user or any(
        user in workspace.channel(channel).members for channel in file.channels
    )


class FileRoutes:
    """The addresses of files: to upload to, and to download from."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    def add(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_post("/upload/v1/{ticket}", self.upload)
        for place in ("files-pri", _ORIGIN):
            app.router.add_get(f"/{place}/{{file}}/{{path:.+}}", self.for_app)
        app.router.add_get("/_playground/files/{file}", self.for_person)

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """Take the bytes an upload URL was given for, once, and as many as were announced."""
        ticket = request.match_info["ticket"]
        files = [one.workspace.files.values() for one in self._slack.workspaces.all]
        file = next((one for some in files for one in some if one.ticket == ticket), None)
        if file is None:
            return web.Response(status=404, text="There is no such upload.")
        content = await _content(request)
        if len(content) != file.announced:
            return web.Response(
                status=400, text=f"{file.announced} bytes were announced, {len(content)} came."
            )
        file.content, file.size = base64.b64encode(content).decode(), len(content)
        file.ticket = ""
        return web.Response(text=f"OK - {file.size}")

    async def for_app(self, request: web.Request) -> web.StreamResponse:
        """Return a file that the app can see; redirect a request without access to sign-in.

        A fault with the status 302 redirects to an address that needs the token again.
        """
        team, _, file_id = request.match_info["file"].partition("-")
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        slack, _ = self._slack.workspaces.caller(bearer)
        allowed = slack.answers_to(bearer) and "files:read" in slack.granted
        if not allowed or team != slack.workspace.identity.team_id:
            raise web.HTTPFound("/")
        fault = slack.faults.take(DOWNLOAD)
        if fault is not None and fault.status == HTTPStatus.FOUND:
            file_and_path = request.path.removeprefix("/").partition("/")[2]
            raise web.HTTPFound(f"/{_ORIGIN}/{file_and_path}")
        if fault is not None and fault.status:
            return fault.response()
        file = slack.workspace.files.get(file_id)
        bot = slack.workspace.identity.bot_user_id
        if file is None or not may_see(slack.workspace, bot, file):
            raise web.HTTPNotFound(text="There is no such file.")
        return _download(file)

    async def for_person(self, request: web.Request) -> web.StreamResponse:
        """Return a file that the person can see."""
        workspace = self._slack.workspaces.of(request.query.get("team", "")).workspace
        file = workspace.files.get(request.match_info["file"])
        user = request.query.get("as", "")
        if file is None or file.content is None or user not in workspace.users:
            return web.json_response({"error": "There is no such file."}, status=404)
        if not may_see(workspace, user, file):
            return web.json_response({"error": f"{user} cannot see that file."}, status=403)
        return _download(file)


def shared_file(slack: Slack, user: str, file_id: str) -> File:
    """A file of a person's own that is in no message yet; raises NotFoundError."""
    file = slack.workspace.files.get(file_id)
    if file is None or file.owner != user or file.channels:
        raise NotFoundError(f"There is no file {file_id!r} of {user} to send.")
    return file


async def _content(request: web.Request) -> bytes:
    """The bytes of an upload: the body itself, or the one file of a form."""
    if request.content_type != "multipart/form-data":
        return await request.read()
    for part in (await request.post()).values():
        if isinstance(part, web.FileField):
            return part.file.read()
    return b""


def _mimetype(file: File) -> str:
    return mimetypes.guess_type(file.name)[0] or "application/octet-stream"


def _download(file: File) -> web.Response:
    name = _PLAIN.sub("_", file.name).encode("ascii", "replace").decode().replace("?", "_")
    return web.Response(
        body=base64.b64decode(file.content or ""),
        content_type=_mimetype(file),
        headers={
            "Content-Disposition": f"attachment; filename=\"{name}\"; filename*=UTF-8''"
            + quote(file.name, safe=""),
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )
