"""Which proxy an address is reached through, and what of the machine's settings is refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bot.config import SettingsError
from bot.network import proxy_for, use_network_settings

PROXY = "http://proxy.example:3128"
OTHER = "http://other.example:8080"
SLACK = "https://slack.com/api/"
VARIABLES = (
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "ssl_cert_file",
    "ssl_cert_dir",
)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine has no proxies, and what a test sets is taken away."""
    for name in VARIABLES:
        for spelled in (name, name.upper()):
            # Set first, so that what the code under test writes is taken away, too.
            monkeypatch.setenv(spelled, "")
            monkeypatch.delenv(spelled)


def used(
    tmp_path: Path, environment: Mapping[str, str], file: Mapping[str, str]
) -> None:
    """Use an environment and a `.env`."""
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        "".join(f"{name}={value}\n" for name, value in file.items()), "utf-8"
    )
    os.environ.update(environment)
    use_network_settings(dotenv=dotenv)


SCHEMES: list[tuple[dict[str, str], str, str | None]] = [
    ({}, SLACK, None),
    ({"HTTPS_PROXY": PROXY}, SLACK, PROXY),
    ({"https_proxy": PROXY}, SLACK, PROXY),
    ({"https_proxy": PROXY, "HTTPS_PROXY": OTHER}, SLACK, PROXY),
    ({"HTTPS_PROXY": PROXY}, "wss://wss-primary.slack.com/link/?ticket=1", PROXY),
    ({"HTTPS_PROXY": PROXY}, "http://model.example/v1", None),
    ({"HTTP_PROXY": PROXY}, "http://model.example/v1", PROXY),
    ({"HTTP_PROXY": PROXY}, "ws://slack.example/", PROXY),
    ({"HTTP_PROXY": PROXY}, SLACK, None),
    ({"ALL_PROXY": PROXY}, SLACK, PROXY),
    ({"ALL_PROXY": PROXY, "HTTPS_PROXY": OTHER}, SLACK, OTHER),
    ({"ALL_PROXY": "socks5://proxy.example:1080"}, SLACK, None),
    ({"ALL_PROXY": "socks5://proxy.example:1080", "HTTPS_PROXY": PROXY}, SLACK, PROXY),
    ({"HTTPS_PROXY": "proxy.example:3128"}, SLACK, PROXY),
    (
        {"HTTPS_PROXY": "http://me:secret@proxy.example"},
        SLACK,
        "http://me:secret@proxy.example",
    ),
    ({"HTTPS_PROXY": ""}, SLACK, None),
    ({"HTTPS_PROXY": PROXY, "https_proxy": " "}, SLACK, PROXY),
]


@pytest.mark.parametrize(("environment", "url", "proxy"), SCHEMES)
def test_the_scheme_names_the_proxy(
    tmp_path: Path, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    """A variable in either case names it; an empty one counts as none."""
    used(tmp_path, environment, {})
    assert proxy_for(url) == proxy


# NO_PROXY, an address, whether it is reached directly.
DIRECT: list[tuple[str, str, bool]] = [
    ("", "slack.com", False),
    ("*", "slack.com", True),
    ("example.com, *", "slack.com", True),
    ("slack.com", "slack.com", True),
    ("slack.com", "SLACK.com", True),
    ("SLACK.com", "slack.com", True),
    ("slack.com", "files.slack.com", True),
    ("slack.com", "notslack.com", False),
    ("slack.com", "slack.com.example", False),
    (".slack.com", "files.slack.com", True),
    (".slack.com", "slack.com", True),
    ("*.slack.com", "files.slack.com", True),
    ("*.slack.com", "notslack.com", False),
    ("example.com,slack.com", "slack.com", True),
    ("example.com , slack.com", "slack.com", True),
    ("example.com slack.com", "slack.com", True),
    ("slack.com:443", "slack.com", True),
    ("slack.com:443", "slack.com:443", True),
    ("slack.com:8443", "slack.com", False),
    ("10.1.2.3", "10.1.2.3", True),
    ("10.1.2.3", "10.1.2.30", False),
    ("10.1.2.3:8000", "10.1.2.3:8000", True),
    ("10.1.2.3:8000", "10.1.2.3:8001", False),
    ("10.0.0.0/8", "10.1.2.3", True),
    ("10.0.0.0/8", "11.1.2.3", False),
    ("10.0.0.0/8", "ten.example", False),
    ("10.1.2.3/8", "10.200.0.1", True),
    ("2001:db8::1", "[2001:db8::1]", True),
    ("[2001:db8::1]", "[2001:db8::1]:8443", True),
    ("[2001:db8::1]:8443", "[2001:db8::1]:8443", True),
    ("2001:db8::/32", "[2001:db8:1::5]", True),
    ("2001:db8::/32", "[2001:db9::5]", False),
    ("/, ::/x", "slack.com", False),
    # This machine is never reached through a proxy.
    ("", "localhost:3000", True),
    ("", "playground.localhost", True),
    ("", "127.0.0.1:3000", True),
    ("", "127.0.0.2", True),
    ("", "[::1]:3000", True),
    ("slack.com", "127.0.0.1", True),
    ("", "localhost.example", False),
    ("", "128.0.0.1", False),
]


def test_no_proxy(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """NO_PROXY has names, what is below them, addresses, networks, ports, and `*` for all."""
    for no_proxy, host, is_direct in DIRECT:
        with (
            subtests.test(no_proxy=no_proxy, host=host),
            pytest.MonkeyPatch.context() as patch,
        ):
            for name in VARIABLES:
                patch.setenv(name, "")
            used(tmp_path, {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}, {})
            assert proxy_for(f"https://{host}/") == (None if is_direct else PROXY)


@pytest.mark.parametrize("spelled", [str.upper, str.lower])
@pytest.mark.parametrize("place", ["environment", "file"])
def test_each_variable_counts_in_either_case_and_place(
    tmp_path: Path, spelled: Callable[[str], str], place: str
) -> None:
    """What is written into `.env` counts as the environment does."""
    given = {"https_proxy": PROXY, "http_proxy": OTHER, "no_proxy": "example.com"}
    given = {spelled(name): value for name, value in given.items()}
    if place == "environment":
        used(tmp_path, given, {})
    else:
        used(tmp_path, {}, given)
    assert proxy_for(SLACK) == PROXY
    assert proxy_for("http://model.example") == OTHER
    assert proxy_for("https://example.com") is None


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    """A variable in the environment counts, whichever case the file writes it in."""
    used(
        tmp_path,
        {"HTTPS_PROXY": PROXY},
        {"https_proxy": OTHER, "NO_PROXY": "example.com"},
    )
    assert proxy_for(SLACK) == PROXY
    assert proxy_for("https://example.com") is None


def test_an_empty_file_of_certificates_is_none() -> None:
    """`.env.example` copied as it is names no file; OpenSSL would trust nobody."""
    example = Path(__file__).parents[2] / ".env.example"
    os.environ["SSL_CERT_FILE"] = ""
    use_network_settings(dotenv=example)
    assert not {name for name in os.environ if name.lower() in VARIABLES}


def test_other_packages_reach_this_machine_directly(tmp_path: Path) -> None:
    """Packages that read the environment by themselves find this machine in NO_PROXY.

    Without a proxy nothing is added: on macOS those of the system's settings would not count then.
    """
    used(tmp_path, {"HTTPS_PROXY": PROXY, "NO_PROXY": "*.example.com"}, {})
    assert os.environ["no_proxy"] == "example.com,localhost,127.0.0.1,::1"
    del os.environ["no_proxy"], os.environ["https_proxy"], os.environ["HTTPS_PROXY"]
    used(tmp_path, {"NO_PROXY": ""}, {})
    assert "no_proxy" not in os.environ


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"HTTPS_PROXY": "socks5://h:1"},
            "HTTPS_PROXY: the address of an HTTP proxy is needed",
        ),
        (
            {"http_proxy": "socks://h:1"},
            "HTTP_PROXY: the address of an HTTP proxy is needed",
        ),
        (
            {"HTTPS_PROXY": "http://[::1"},
            "HTTPS_PROXY: the address of an HTTP proxy is needed",
        ),
        (
            {"HTTPS_PROXY": "h:80000"},
            "HTTPS_PROXY: the address of an HTTP proxy is needed",
        ),
        (
            {"SSL_CERT_FILE": "/nonexistent.pem"},
            "SSL_CERT_FILE: a file that this user may read",
        ),
        ({"SSL_CERT_FILE": __file__}, "SSL_CERT_FILE: a file that this user may read"),
        ({"SSL_CERT_FILE": "/"}, "SSL_CERT_FILE: a file that this user may read"),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, variables: dict[str, str], sentence: str
) -> None:
    """A proxy of another kind, and a file without certificates, are named at the start."""
    with pytest.raises(SettingsError, match=sentence):
        used(tmp_path, {}, variables)
