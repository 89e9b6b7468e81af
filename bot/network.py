"""How other computers are reached: through which proxy, and trusting which certificates.

HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR belong to the machine,
and many packages read them, each in its own way. So `use_network_settings` completes the
environment once, before those packages are imported, and `proxy_for` decides for all clients in
Kioku's own code.
"""

from __future__ import annotations

import os
import re
import ssl
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from bot.config import WEB_ADDRESS, SettingsError, read_dotenv

# In lower case, which urllib.request, and what is built on it, reads first.
_PROXIES = ("https_proxy", "http_proxy", "all_proxy")
_NO_PROXY = "no_proxy"
# OpenSSL knows these only in capitals.
_CERT_FILE = "SSL_CERT_FILE"
_CERTIFICATES = (_CERT_FILE, "SSL_CERT_DIR")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_WEB_SCHEMES = {"ws": "http", "wss": "https"}
_PORTS = {"http": 80, "https": 443}


def use_network_settings(*, dotenv: Path = Path(".env")) -> None:
    """Complete the environment with what `dotenv` sets, and add this machine to NO_PROXY.

    A variable in the environment, in capitals or not, takes precedence, and an empty one counts as
    not set. Raises `SettingsError` for an invalid proxy, and for a file of certificates that cannot
    be used.
    """
    file = {name.upper(): value for name, value in read_dotenv(dotenv).items()}
    for name in (*_PROXIES, _NO_PROXY, *_CERTIFICATES):
        value = _given(name) or file.get(name.upper())
        # OpenSSL takes an empty name for a file without certificates.
        os.environ.pop(name, None)
        if value:
            os.environ[name] = value
    for name in _PROXIES[:2]:
        value = os.environ.get(name)
        if value and not _is_http_proxy(value):
            raise SettingsError(
                f"{name.upper()}: the address of an HTTP proxy is needed, such as"
                " http://proxy.example.com:8080."
            )
    if path := os.environ.get(_CERT_FILE):
        try:
            ssl.create_default_context(cafile=path)
        except OSError:  # an `ssl.SSLError` is one
            raise SettingsError(
                f"{_CERT_FILE}: a file that this user may read is needed, with certificates in"
                " PEM."
            ) from None
    # On macOS a proxy of the system's settings may count if there is none in the environment.
    if any(os.environ.get(name) for name in _PROXIES):
        # In the form every package reads: `*` alone, suffixes without `*` and dot.
        entries = re.split(r"[,\s]+", os.environ.get(_NO_PROXY, ""))
        suffixes = [entry.removeprefix("*").removeprefix(".") for entry in entries]
        names = ",".join(filter(None, [*suffixes, *_LOOPBACK]))
        os.environ[_NO_PROXY] = "*" if "*" in entries else names


def _given(name: str) -> str:
    return (
        os.environ.get(name.lower(), "").strip()
        or os.environ.get(name.upper(), "").strip()
    )


def _is_http_proxy(value: str) -> bool:
    if "://" not in value:
        value = f"http://{value}"
    return re.fullmatch(WEB_ADDRESS, value) is not None


def proxy_for(url: str) -> str | None:
    """Return the address of the proxy through which to request `url`, or None.

    The rules are those of `urllib.request`: the proxy is named by the scheme (wss counts as https),
    NO_PROXY has addresses, and names that include all names below them. Networks such as 10.0.0.0/8
    work, too, and this machine is never reached through a proxy.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_this_machine(host):
        return None
    proxies = getproxies()
    scheme = _WEB_SCHEMES.get(parts.scheme, parts.scheme)
    if scheme not in _PORTS:
        return None
    proxy = proxies.get(scheme) or proxies.get("all") or ""
    if not proxy or not _is_http_proxy(proxy):
        return None
    port = parts.port or _PORTS[scheme]
    if proxy_bypass(host) or proxy_bypass(f"{in_url(host)}:{port}"):
        return None
    if _in_network(host, proxies.get("no", "")):
        return None
    if "://" not in proxy:
        return f"http://{proxy}"
    return proxy


def in_url(host: str) -> str:
    """Return a host as it is written in a URL: an IPv6 address in brackets."""
    if ":" in host:
        return f"[{host}]"
    return host


def is_this_machine(host: str) -> bool:
    """Return whether a host is a name or an address of this machine's loopback interface."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _in_network(host: str, no_proxy: str) -> bool:
    """Return whether a host is an address in one of the networks of NO_PROXY."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    for entry in no_proxy.split(","):
        try:
            if address in ip_network(entry.strip().strip("[]"), strict=False):
                return True
        except ValueError:  # a name
            continue
    return False


def certificate_problem(error: BaseException) -> str | None:
    """Return one sentence if a request failed because of the server's certificate, else None."""
    server = "a server"
    current: BaseException | None = error
    while current is not None:
        server = getattr(current, "host", None) or server  # aiohttp's error has it
        # aiohttp's own error is one, too, but the reason is in its cause.
        has_reason = current.__cause__ is None
        if has_reason and isinstance(current, ssl.SSLCertVerificationError):
            return (
                f"The certificate of {server} is refused ({current.verify_message}). If a proxy of"
                " your company opens TLS, SSL_CERT_FILE has to name a file in PEM that has its"
                " authority, too. A clock that is wrong has the same effect."
            )
        current = current.__cause__ or current.__context__
    return None
