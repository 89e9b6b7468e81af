"""One person attacks while ten others talk: how much longer do they wait?

The attacker does the worst that is known of what one person, or nobody in particular, can do:
messages of 39,000 characters that are slow to read, clicks on *Export* and *Forget*, bodies that
inflate to a gigabyte, requests that are never finished.
"""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import cycle
from statistics import median
from urllib.error import URLError
from urllib.request import urlopen

from tests.e2e.workspace import Workspace
from tests.person import Person, Place, Said, acts_in
from tests.soak.stage import Stage
from tests.soak.table import Table, tell
from tests.waiting import wait_until

PEOPLE = 10
SECONDS = 60.0
MORE_SECONDS = 1.0
"""How much longer the slowest answer may take beside the attack than without it."""
_ANSWER_SECONDS = 60.0
_PAUSE_SECONDS = 3.0
_CHARACTERS = 39_000
# Texts that were slow to normalise, or to search for links.
_UNITS = ("ﷺ.", "x.ﷺ…/ ", "a.", "[a](", "`", "<a|")
_MARKS = "a" + "\u0301" * (_CHARACTERS // 2) + "\u0316" * (_CHARACTERS // 2)
_HALF_REQUEST = (
    b"POST /slack/events HTTP/1.1\r\nHost: kioku\r\nContent-Type: application/json\r\n"
    b"Content-Length: 900000\r\n\r\n{"
)


def run_attack(stage: Stage, table: Table) -> None:
    """Let ten people talk without and with the attack, and compare their longest waits."""
    workspace = stage.workspace
    [port] = [replica.port for replica in stage.fleet.named("http")]
    people = workspace.people(PEOPLE)
    mallory = Person(workspace)
    mallory.say("I love ramen and I like soba")
    _waits(workspace, people, 5.0)  # nobody's first message is measured
    quiet = _waits(workspace, people, SECONDS)
    with _attack(mallory, port) as attack:
        beside = _waits(workspace, people, SECONDS)
    table.fact(
        "answers without and beside the attack", f"{len(quiet)} and {len(beside)}"
    )
    table.fact("median wait", f"{median(quiet):.2f} s and {median(beside):.2f} s")
    table.fact("longest wait", f"{max(quiet):.2f} s and {max(beside):.2f} s")
    table.fact("attacks", attack)
    longer = max(beside) - max(quiet)
    found = [f"{longer:.2f} s longer"] if longer > MORE_SECONDS else []
    table.check(f"somebody waited {MORE_SECONDS:.0f} s longer", found)
    table.check("ended by itself", stage.fleet.complaints)


def _waits(
    workspace: Workspace, people: Sequence[Person], seconds: float
) -> list[float]:
    """Let people talk for so long; return how long each of their answers took."""
    end = time.monotonic() + seconds

    def talk(person: Person) -> list[float]:
        waits: list[float] = []
        while time.monotonic() < end:
            waits.append(_wait_of(workspace, person))
            threading.Event().wait(_PAUSE_SECONDS)
        return waits

    with ThreadPoolExecutor(len(people)) as pool:
        return [wait for waits in pool.map(talk, people) for wait in waits]


def _wait_of(workspace: Workspace, person: Person) -> float:
    """Let a person ask; return how long the answer took."""
    begin = time.monotonic()
    said = person.say("How is it made?")
    wait_until(lambda: _is_answered(workspace, said), "an answer", _ANSWER_SECONDS)
    return time.monotonic() - begin


def _is_answered(workspace: Workspace, said: Said) -> bool:
    return any(
        message["user"] == workspace.bot_user_id
        and message.get("thread_ts") == said.ts
        and not message.get("streaming")
        for message in said.person.seen(said.channel)
    )


def _settings(mallory: Person) -> Place | None:
    form = mallory.form()
    return form if form and acts_in(form, "export") else None


@contextmanager
def _attack(mallory: Person, port: int) -> Iterator[dict[str, int]]:
    """Attack while the block runs; gives how often each attack was made."""
    stop = threading.Event()
    made = dict.fromkeys(("messages", "clicks", "bodies", "half requests", "checks"), 0)
    panel = mallory.panel()
    mallory.press(panel, "open", form="add")
    mallory.submit(mallory.form_opens(), lines="I love ramen")
    mallory.changed(panel)
    mallory.type("/memories settings")
    settings = wait_until(lambda: _settings(mallory), "the settings")
    texts = cycle([*(unit * _CHARACTERS for unit in _UNITS), _MARKS])
    bomb = _gzip_bomb()
    held: list[socket.socket] = []

    def write() -> None:
        made["messages"] += 1
        mallory.say(f"{made['messages']}{next(texts)}"[:_CHARACTERS])

    def click() -> None:
        made["clicks"] += 1
        if made["clicks"] % 2:
            mallory.press(settings, "export")
        else:
            mallory.press(settings, "forget", everything=True)

    def inflate() -> None:
        made["bodies"] += 1
        _post(port, bomb)

    def hold() -> None:
        made["half requests"] += 1
        connection = socket.create_connection(("127.0.0.1", port), timeout=2)
        connection.sendall(_HALF_REQUEST)
        held.append(connection)

    def check() -> None:
        made["checks"] += 1
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            answer.read()

    paces: list[tuple[Callable[[], None], float]] = [
        (write, 1.5),
        (click, 0.3),
        (inflate, 1.0),
        (hold, 0.02),
        (check, 0.1),
    ]
    threads = [
        threading.Thread(target=_repeat, args=(act, pace, stop)) for act, pace in paces
    ]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for connection in held:
            connection.close()
        tell(f"attacks: {made}")


def _repeat(act: Callable[[], None], pace: float, stop: threading.Event) -> None:
    """Act again and again; what is refused is the point of it."""
    while not stop.wait(pace):
        with suppress(OSError, URLError, AssertionError):
            act()


def _gzip_bomb() -> bytes:
    """Return a megabyte that inflates to a gigabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [packer.compress(bytes(2**24)) for _ in range(64)]
    return b"".join([*pieces, packer.flush()])


def _post(port: int, body: bytes) -> None:
    head = (
        "POST /slack/events HTTP/1.1\r\nHost: kioku\r\nContent-Type: application/json\r\n"
        f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        connection.recv(200)
