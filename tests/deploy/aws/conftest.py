"""The two functions on loopback: real PostgreSQL, the playground as Slack, the stand-in model."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer
from psycopg.conninfo import conninfo_to_dict

from memory import EmbeddedPostgres
from tests.conftest import Server, fresh_database, login_of, open_playground
from tests.deploy.aws.cloud import Cloud, Function
from tests.e2e.app import App
from tests.e2e.world import World
from tests.loopback import pass_on

_GROUP = "kioku"
API_TOKEN = "t0ken-of-the-callers"
WORKER_SECONDS = 60.0
_REGION = "eu-central-1"
_AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": _REGION,
}


class OnLambda(App):
    """The app as its functions: there is no process to start."""

    def runs(self) -> bool:
        """Say that it has not ended: a function never ends by itself."""
        return True


@dataclass(frozen=True)
class Deployed:
    """What stands for the whole session."""

    app: OnLambda
    cloud: Cloud
    secrets: Any
    scheduler: Any


@dataclass(frozen=True)
class Aws:
    """A workspace whose app runs on Lambda."""

    world: World
    cloud: Cloud
    secrets: Any
    scheduler: Any

    @property
    def database(self) -> str:
        """The conninfo of the database's owner."""
        return self.world.app.conninfo

    @property
    def worker(self) -> Function:
        """The worker."""
        return self.cloud.functions["worker"]

    def connections(self) -> int:
        """Return how many connections to the database are open, but for our own."""
        [row] = self.world.rows(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
        return int(row["n"])

    def let_go(self) -> None:
        """Wait until no connection is open: Aurora could pause."""
        self.world.until(lambda: self.connections() == 0 or None, "an end of all connections")

    def write_database_secret(self, conninfo: str) -> None:
        """Let the secret name this database."""
        write_database_secret(self.secrets, conninfo)

    def schedules(self) -> list[str]:
        """Return the names of the schedules that exist."""
        found = self.scheduler.list_schedules(GroupName=_GROUP)
        return [str(one["Name"]) for one in found["Schedules"]]

    def run_schedule(self) -> None:
        """Let the schedule that was left, if any, come due and remove itself."""
        for name in self.schedules():
            found = self.scheduler.get_schedule(GroupName=_GROUP, Name=name)
            self.scheduler.delete_schedule(GroupName=_GROUP, Name=name)
            self.cloud.post("worker", json.loads(found["Target"]["Input"]))
        self.quiet()

    def quiet(self) -> None:
        """Wait until no function runs."""
        self.world.until(lambda: not self.worker.running or None, "an end of every invocation", 60)


def write_database_secret(secrets: Any, conninfo: str) -> None:
    """Write what Amazon RDS would."""
    content = json.dumps(database_secret(conninfo))
    secrets.put_secret_value(SecretId="database", SecretString=content)


def database_secret(conninfo: str) -> dict[str, Any]:
    """Return what Amazon RDS writes into a secret."""
    parts = conninfo_to_dict(conninfo)
    return {
        "host": parts["host"],
        "port": int(parts.get("port") or 5432),
        "username": parts["user"],
        "password": parts.get("password") or "unused",
        "dbname": parts["dbname"],
        "engine": "postgres",
    }


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """Secrets Manager and the scheduler."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def deployed(
    postgres: EmbeddedPostgres, moto_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """The functions, their secrets and their workspace."""
    folder = tmp_path_factory.mktemp("aws")
    with ExitStack() as stack:
        slack = stack.enter_context(open_playground("--retry-delays", "0.2,1,3"))
        conninfo = stack.enter_context(fresh_database(postgres))
        session = boto3.Session(
            aws_access_key_id="testing", aws_secret_access_key="testing", region_name=_REGION
        )
        secrets = session.client("secretsmanager", endpoint_url=moto_url)
        scheduler = session.client("scheduler", endpoint_url=moto_url)
        _make_secrets(secrets, slack)
        scheduler.create_schedule_group(Name=_GROUP)
        cloud = _deploy(slack, moto_url, folder / "log")
        stack.callback(cloud.close)
        app = OnLambda(slack, conninfo, "http", folder / "log")
        yield Deployed(app, cloud, secrets, scheduler)


@pytest.fixture
def aws(deployed: Deployed) -> Iterator[Aws]:
    """The workspace, calm before and after, whose log quotes nobody."""
    url = f"{deployed.cloud.url}/slack/events"
    slack = deployed.app.slack
    slack.call("/_playground/delivery", {"mode": "http", "url": url, "verify": True})
    write_database_secret(deployed.secrets, login_of(deployed.app.conninfo))
    deployed.cloud.functions["worker"].end_idle()
    with closing(World(deployed.app)) as world:
        world.calm()
        lived_in = Aws(world, deployed.cloud, deployed.secrets, deployed.scheduler)
        yield lived_in
        world.calm()
        lived_in.quiet()
        assert deployed.cloud.functions["worker"].dead_letters == []
        assert world.leaks() == []


def _make_secrets(secrets: Any, slack: Server) -> None:
    told = slack.info
    contents = {
        "database": {},
        "slack": {
            "SLACK_BOT_TOKEN": told["bot_token"],
            "SLACK_SIGNING_SECRET": told["signing_secret"],
            "KIOKU_API_TOKEN": API_TOKEN,
        },
        "openai": {"OPENAI_API_KEY": "stand-in"},
    }
    for name, content in contents.items():
        secrets.create_secret(Name=name, SecretString=json.dumps(content))


def _deploy(slack: Server, moto_url: str, log: Path) -> Cloud:
    functions: dict[str, Function] = {}
    log.touch()
    cloud = Cloud(functions)
    shared = {**_AWS, "AWS_ENDPOINT_URL": moto_url, "AWS_ENDPOINT_URL_LAMBDA": cloud.url}
    functions["front"] = Function(
        "front",
        "deploy.aws.front.handler",
        {
            **shared,
            "SLACK_SECRET_ARN": "slack",
            "SLACK_API_URL": slack.info["slack_api_url"],
            "KIOKU_WORKER_FUNCTION": "worker",
        },
        log,
        30.0,
    )
    told = slack.info
    functions["worker"] = Function(
        "worker",
        "deploy.aws.worker.handler",
        {
            **shared,
            "DATABASE_SECRET_ARN": "database",
            "SLACK_SECRET_ARN": "slack",
            "OPENAI_SECRET_ARN": "openai",
            "SLACK_API_URL": told["slack_api_url"],
            "OPENAI_BASE_URL": told["openai_base_url"],
            "KIOKU_REPLY_MODEL": "gpt-6-luna",
            "KIOKU_MEMORY_MODEL": "kioku-stand-in",
            "KIOKU_EMBEDDING_MODEL": "kioku-stand-in-embedding",
            "KIOKU_LOG_LEVEL": "DEBUG",
            "SCHEDULE_GROUP": _GROUP,
            "SCHEDULE_ROLE": "arn:aws:iam::000000000000:role/schedule",
        },
        log,
        WORKER_SECONDS,
    )
    return cloud


@contextmanager
def before_the_first(conninfo: str, folder: Path, act: Callable[[], object]) -> Iterator[str]:
    """Yield a way to the database that calls `act` before it lets the first connection through."""
    parts = conninfo_to_dict(conninfo)
    target = f"{parts['host']}/.s.PGSQL.{parts['port']}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / f".s.PGSQL.{parts['port']}"))
        listener.listen(64)

        def through(connection: socket.socket) -> None:
            with connection:
                pass_on(connection, target)

        def serve() -> None:
            first = True
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                if first:
                    act()
                first = False
                threading.Thread(target=through, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield psycopg.conninfo.make_conninfo(conninfo, host=str(folder))


@contextmanager
def asleep(conninfo: str, folder: Path, seconds: float) -> Iterator[str]:
    """Yield a way to a database that resumes as Aurora does.

    Connections are taken at once, and answered when `seconds` are over since the first.
    """
    resumed = threading.Event()
    with before_the_first(conninfo, folder, lambda: resumed.wait(seconds)) as through:
        try:
            yield through
        finally:
            resumed.set()
