"""Keys that services make: words that nobody would write, known formats, and private keys.

A word is judged by how much of it is left without the parts that people write: words in lower case
or in capitals, and numbers (`_WRITTEN`). About two thirds of a random word of both cases and digits
are left, but a third or less of a name in a program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from memory.credentials.readable import Found

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:(?!-----)[\s\S]){0,20000}-----END[A-Z0-9 ]{0,40}-----|(?:\s+[A-Za-z0-9+/=\\]{16,})*+)"
)
# Formats that the rule for words misses: too short, or with too few kinds of characters.
_FORMATS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA)[A-Z0-9]{16}"  # Amazon
    r"|AIza[A-Za-z0-9_-]{35}"  # Google
    r"|gh[opsru]_[A-Za-z0-9]{36}|gl[a-z]{1,5}-[A-Za-z0-9_.-]{20,64}"  # GitHub, GitLab
    r"|xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,256}|xapp-[A-Za-z0-9-]{10,256}"  # Slack
    r"|(?:AC|SK)[0-9a-f]{32}(?:[\s:]{1,3}[0-9a-f]{32})?"  # Twilio
    r"|[0-9a-f]{32}-us[0-9]{1,2}"  # Mailchimp
    r"|[0-9]{8,10}:AA[A-Za-z0-9_-]{32,64}"  # Telegram
    r"|dapi[0-9a-f]{32}|do[opr]_v1_[0-9a-f]{64}|hv[bsr]\.[A-Za-z0-9_-]{20,256}"  # Databricks, …
    r"|HRKU-[0-9A-Za-z-]{32,64}|NRAK-[A-Z0-9]{27}|(?:sbp_|pul-|rubygems_|sq[aup]_)[0-9a-f]{40,64}"
    r"|sq0[a-z]{3}-[A-Za-z0-9_-]{22,64}|fw_[A-Za-z0-9]{20,64}|v1\.0-[0-9a-f]{24}-[0-9a-f]{32,256}"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{58}|dt0[a-z]01\.[A-Z0-9]{24}\.[A-Z0-9]{64}"
    r"|(?:bkua_|sgp_(?:[0-9a-f]{16}_)?)[0-9a-f]{40}|oy2[a-z0-9]{43}"
    r"|GOCSPX-[A-Za-z0-9_-]{28}|A3-[A-Z0-9]{6}-[A-Z0-9]{6}(?:-[A-Z0-9]{5}){4}"  # Google, 1Password
    r"|pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"  # Airtable
    r"|napi_[a-z0-9]{64}|npg_[A-Za-z0-9]{12}|[0-9a-f]{32}(?:-[0-9a-f]{8}){2}"  # Neon, Mailgun
    r"|vc[aikpr]_[A-Za-z0-9]{24,64}"  # Vercel
    r"|access-(?:sandbox|development|production)-[0-9a-f-]{36}|[12]/[0-9/]{16,33}:[0-9a-f]{32}"
    r")(?![A-Za-z0-9])"
)
# Public text that looks like a key, and words that may be keys.
_PUBLIC_OR_WORD = re.compile(
    r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s<>\"'`]+"
    r"|(?<![A-Za-z0-9.-])(?:[A-Za-z0-9-]{1,63}\.){1,5}[a-z]{2,10}/[^\s<>\"'`]+"
    r"|data:[^\s,]{0,80},[^\s<>\"'`]+"
    r"|(?:ssh-(?:rsa|ed25519|dss)|(?:sk-)?ecdsa-[a-z0-9@.-]{1,60}|sk-ssh-[a-z0-9@.-]{1,60})\s\S+"
    r"|-----BEGIN (?![A-Z ]{0,30}PRIVATE)[A-Z ]{1,40}-----(?:(?!-----)[\s\S]){0,20000}-----END"
    r"|(?i:(?<![A-Za-z0-9])(?:sha-?(?:1|256|384|512)|md5|h1)[-:=]\s?[A-Za-z0-9+/=_-]+)"
    r"|(?<![A-Za-z0-9])Qm[A-Za-z0-9]{44}(?![A-Za-z0-9])"  # the address of a file in IPFS
    r"|(?<![A-Za-z0-9_+/.~$%-])(?P<word>[A-Za-z0-9_+/.~$%-]{16,}+={0,2}+)(?![@=])"
)
_WRITTEN = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{3,}|[0-9]{3,}")
_PART = re.compile(r"[A-Za-z0-9]+")
_HEXADECIMAL = re.compile(r"(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{16,}+")
_LEAST_LEFT = 0.3  # share of a key that is left without what people write
_LEAST_BARE = 32  # characters of a key without a name; ids of 20 to 28 look the same
_LEAST_NAMED = 16  # characters of a key behind a name such as "sk_live_"
_LEAST_MIXED = 10  # characters of one part of a key, between "-", "_", "." or "/"
_DIGIT = re.compile("[0-9]")
# A prefix that marks a key as one. "pk" and "pub" begin public keys.
_NAME = re.compile(
    r"(?!pk[_-]|pub)(?:[A-Za-z0-9]{1,20}[_.-]){0,3}?"
    r"(?:sk|rk|[A-Za-z0-9]{0,16}(?i:pat|key|secret|token|tkn)|pt|[A-Z]{1,4}AK"
    r"|[a-z]{2,12}_(?:live|test|prod))[_.$-]"
)

_CLOSING = "_+/.~$%-,;:!?)]}>*|"
# The whole address of a webhook is a credential.
_HOOK = re.compile(r"://[^\s/?#]{0,100}hook|/[a-z]{0,20}hooks?/", re.IGNORECASE)


def find_keys(text: str) -> Iterator[Found]:
    """Yield the kind, start and end of private keys and access keys."""
    for match in _PRIVATE_KEY.finditer(text):
        yield "private key", *match.span()
    for match in _FORMATS.finditer(text):
        if any(map(str.isdigit, match[0])):  # not the "xoxb-playground" of an example
            yield "access key", *match.span()
    for match in _PUBLIC_OR_WORD.finditer(text):
        start = match.start()
        found = match[0].rstrip(_CLOSING)
        if match["word"]:
            is_key = is_random(found)
        else:
            is_hook = _HOOK.search(found) is not None
            is_key = is_hook and any(map(_has_random, _PART.findall(found)))
        if is_key:
            yield "access key", start, start + len(found)


def is_random(word: str) -> bool:
    """Return whether a program made a word, judging by its length and what people do not write."""
    name = _NAME.match(word)
    if name and _has_random(word[name.end() :]):
        return True
    parts = _PART.finditer(word)
    strange = [part for part in parts if share_left(part[0]) >= _LEAST_LEFT]
    if not strange:
        return False
    body = word[strange[0].start() : strange[-1].end()]
    if len(body) < _LEAST_BARE or share_left(body) < _LEAST_LEFT:
        return False
    return any(_is_mixed(part[0]) for part in strange)


def _is_mixed(part: str) -> bool:
    """Return whether a part of a word has letters of both cases, and digits unless it is long."""
    if part in (part.lower(), part.upper()):
        return False
    least = _LEAST_MIXED if _DIGIT.search(part) else _LEAST_BARE
    return len(part) >= least


def share_left(text: str) -> float:
    """Return the share of letters and digits that are left without what people write.

    People do not write hexadecimal numbers, so these count in full.
    """
    size = 0
    left = 0
    for part in _PART.findall(text):
        size += len(part)
        if not _HEXADECIMAL.fullmatch(part):
            part = _WRITTEN.sub("", part)
        left += len(part)
    return left / size if size else 0.0


def _has_random(body: str) -> bool:
    """Return whether `body` has letters and digits, `_LEAST_NAMED` characters, and enough left."""
    if len(body) < _LEAST_NAMED or share_left(body) < _LEAST_LEFT:
        return False
    has_digit = any(map(str.isdigit, body))
    has_letter = any(map(str.isalpha, body))
    return has_digit and has_letter
