"""Find credentials in text, and replace them by placeholders that name their kind.

Found are token formats, numbers with a check digit, and labelled values. Each rule reads a limited
number of characters: the time is linear in the text's length. docs/decisions/0016-credentials.md
describes the rules, 0025-redaction.md where text is redacted. The placeholders, such as ``[card
number removed]``, are stored, and the same in every language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from itertools import chain
from typing import Any


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential in a text: its kind, such as "card number", value, and offsets in characters.

    The value is never stored or logged.
    """

    kind: str
    value: str = field(repr=False)
    start: int = 0
    end: int = 0


_WINDOW, _OVERLAP = 2_048, 1_024  # characters of a line passed to one pattern of the library

# The modules of detect-secrets for fixed formats. Not included: modules that measure entropy or
# search for keywords, IP addresses or variable names (IBM Cloud, npm), and that of private keys,
# which finds headers only.
_DETECTORS = (
    "artifactory aws azure_storage_key basic_auth discord github_token gitlab_token jwt mailchimp "
    "pypi_token sendgrid slack square_oauth stripe telegram_token twilio"
)

# Token prefixes that detect-secrets 1.5.0 does not detect.
_VENDOR_TOKENS = [
    re.compile(
        r"(?:sk-ant-|sk-proj-|github_pat_|xapp-|xoxe[.-]|[sr]k_test_|AIza|ya29\.|GOCSPX-|npm_|hf_"
        r"|shp(?:at|ss)_|do[opr]_v1_|hv[sb]\.|dapi|dckr_pat_|whsec_|glsa_|lsv2_)"
        r"[A-Za-z0-9._-]{16,512}"
    ),
    # As the library's, which reads from each "sk-" to the end of the window.
    re.compile(r"sk-(?:(?!sk-|T3BlbkFJ)[A-Za-z0-9_-]){20,120}+T3BlbkFJ[A-Za-z0-9_-]{20,120}"),
    re.compile(r"sk-[A-Za-z0-9]{40,64}"),
    # Short words begin like these (the model xai-grok-4): the usual lengths.
    re.compile(
        r"xai-[A-Za-z0-9]{64,96}|gsk_[A-Za-z0-9]{40,64}|sk-or-v1-[0-9a-f]{64}"
        r"|ATATT3[A-Za-z0-9_=-]{100,512}|(?:ntn_|lin_api_)[A-Za-z0-9]{40,64}"
        r"|figd_[A-Za-z0-9_-]{36,64}"
    ),
]
# Full-width ASCII, hyphens and spaces as one ASCII character each.
_ASCII: dict[int, int | str] = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212), "-"),
    **dict.fromkeys((0x2018, 0x2019), "'"),
    **dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x3000), " "),
}
_IN_WORD = re.compile(r"(?<=[A-Za-z0-9])[A-Za-z0-9]")
_LINE = re.compile(r"[^\r\n]{7,}")  # a line with the shortest format, ://a:b@, or a longer one
_REST = re.compile(r"[A-Za-z0-9_+/=~-]*(?:\.[A-Za-z0-9_+/=~-]+)*")
_DIGIT = re.compile(r"[0-9]")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:(?!-----)[\s\S]){0,20000}-----END[A-Z0-9 ]{0,40}-----|(?:\s+[A-Za-z0-9+/=\\]{16,})*+)"
)
_CARD = re.compile(
    r"(?<![\w+./#@$%&-])(?<!\+[0-9] )(?<!\+[0-9]{2} )(?<!\+[0-9]{3} )([0-9]{13,19}"
    r"|[0-9]{4}([ -])[0-9]{4}\2[0-9]{4}\2[0-9]{4}(?:\2[0-9]{3})?"
    r"|[0-9]{4}([ -])[0-9]{6}\3[0-9]{4,5})(?![0-9A-Za-z_/@%])",
    re.ASCII,
)
_ISSUER = re.compile(r"4|5[0-8]|6|3[04-9]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720")
# Other pairs of the letters A to F begin hexadecimal numbers.
_IBAN = re.compile(
    r"(?ai)(?<![A-Z0-9])(?=((?:A[DE]|B[AE]|[DE]E|(?![A-F]{2})[A-Z]{2})[0-9]{2}"
    r"(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?)(?![A-Z0-9]))"
)
_MARK = r"[\"'`*_~\\“”„«»‹›「」『』]"
_LABELS = (
    r"(?:password|passwort|kennwort|passcode|passphrase|token"
    r"|(?<![^\W_])(?:passwd|pwd|pw|pin(?:[ -](?:code|number))?|client[ _-]secret"
    r"|(?:api|access|secret|private)[ _-]?key"
    r"|mot de passe|code secret|jeton|clé (?:api|secrète|privée)"
    r"|zugangscode|(?:api-|geheimer |privater )schlüssel"
    r"|contraseña|clave(?: (?:api|secreta|privada))?|código de acceso|senha"
    r"|palavra-passe|chave (?:(?:de )?api|secreta|privada)|código de acesso)"
    r"|パスワード|パスコード|パスフレーズ|暗証番号|トークン|(?:api ?|シークレット|アクセス)キー"
    r"|秘密鍵|密码|密碼|口令|令牌|密钥|密鑰|金鑰|私钥|私鑰"
    r"|비밀 ?번호|비번|암호|패스워드|핀 ?번호|토큰|(?:api|비밀|개인) ?키)"
)
_IS = (
    rf"{_MARK}{{0,3}}(?:\s{{0,3}}[:=]{{1,2}}|'s\s"
    r"|\s{1,3}(?:is|ist|lautet|(?:c')?est|es|é)\b\s?:?"
    rf"|\s?(?:は|是|为|為|은|는):?)\s{{0,3}}{_MARK}{{0,3}}\s?"
)
_UNBROKEN = r"[^\s\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7ff\uf900-\uffef“”„«»‹›]"
_CODES = r"暗証番号|認証コード|セキュリティコード|ワンタイム(?:コード|パスワード)"
# Labels, mostly with a word or sign for "is", and the value that follows; before a kanji: a count.
_LABELLED = (
    ("password", _LABELS + _IS, rf"{_UNBROKEN}{{6,}}+"),
    (
        "security code",
        r"(?:(?<![^\W_])(?:PIN(?: code| number)?|CV[VC]2?|door code|one-time (?:code|password)|OTP"
        rf"|verification code)|{_CODES}){_IS}"
        rf"|(?:(?<![^\W_])CV[VC]2?(?=\s?[0-9]{{3}}(?![0-9]))|{_CODES})\s?(?![0-9]{{1,8}}[一-鿿])",
        r"[0-9]{3,8}(?![0-9A-Za-z]|[/.,:-][0-9])",
    ),
    (
        "My Number",
        r"(?:(?:マイナンバー|個人番号)(?:カード)?(?:の番号)?|(?-i:M[yY] N(?:umber|UMBER)))"
        rf"[(「]?(?:{_IS}|\s?)",
        r"[0-9]{4}([ -]?)[0-9]{4}\3[0-9]{4}(?![0-9])",
    ),
)
_PATTERNS = [(kind, re.compile(f"({labels})({value})", re.I)) for kind, labels, value in _LABELLED]
_NOT_SECRET = re.compile(r"<?https?://|<[@#!]|\d{4}([-/.])\d{1,2}\1\d{1,2}$|\d{1,2}:\d{2}:\d{2}$")
_QUOTES, _AROUND = frozenset("\"'`"), " \t\"'=:"
_CLOSING = ".,;:…\"'`)]}>*_~|"


def find_credentials(text: str) -> list[Credential]:
    """Return the credentials in `text`, in order and without overlaps."""
    # One character for each: the offsets stay.
    ascii_text = text if text.isascii() else text.translate(_ASCII)
    found = chain(_formats(ascii_text), _numbers(ascii_text), _labelled(ascii_text))
    merged: list[tuple[str, int, int]] = []
    for kind, start, end in sorted(found, key=lambda one: (one[1], -one[2])):
        if merged and start < merged[-1][2]:
            kind, start, end = merged[-1][0], merged[-1][1], max(merged.pop()[2], end)
        merged.append((kind, start, end))
    return [Credential(kind, text[start:end], start, end) for kind, start, end in merged]


@cache
def _fixed_formats() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return patterns with their kinds; detect-secrets is imported at the first call."""
    found = [("access key", pattern) for pattern in _VENDOR_TOKENS]
    for name in _DETECTORS.split():
        module = import_module(f"detect_secrets.plugins.{name}")
        kind = "password" if name == "basic_auth" else "access key"
        for detector in vars(module).values():
            if getattr(detector, "__module__", "") == module.__name__:
                found += [(kind, pattern) for pattern in getattr(detector, "denylist", ())]
    return tuple(found)


def _formats(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the matches of each pattern, each extended to the end of its token."""
    windows = list(_windows(text))
    for kind, pattern in _fixed_formats():
        covered = 0
        for offset, match in [(at, one) for at, part in windows for one in pattern.finditer(part)]:
            group = match.lastindex or 0
            if kind != "password" and len(match[group]) < 6:
                group = 0  # the group is only the prefix, as in GitHub's pattern
            value = match[group].rstrip(_AROUND)
            end = offset + match.start(group) + len(value)
            start = end - len(value.lstrip(_AROUND))
            if start < covered or _IN_WORD.match(text, start):
                continue
            if value if kind == "password" else _DIGIT.search(value):  # not a word in capitals
                rest = _REST.match(text, end)
                covered = rest.end() if rest else end
                yield kind, start, covered


def _windows(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its offset; long lines are split into overlapping parts."""
    for line in _LINE.finditer(text):
        for start in range(line.start(), line.end(), _WINDOW - _OVERLAP):
            yield start, text[start : min(start + _WINDOW, line.end())]
            if start + _WINDOW >= line.end():
                break


def _numbers(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield private keys, and cards and IBANs with right check digits, without what follows."""
    for match in _PRIVATE_KEY.finditer(text):
        yield "private key", *match.span()
    for match in chain(_CARD.finditer(text), _IBAN.finditer(text)):
        number, start = match[1], match.start(1)
        while len(plain := re.sub("[ -]", "", number)) >= 13:
            if _is_card(plain) if plain.isdigit() else _is_account(plain):
                kind = "card number" if plain.isdigit() else "bank account number"
                yield kind, start, start + len(number)
                break
            number = number[: max(number.rfind(" "), number.rfind("-"), 0)]


def _is_account(account: str) -> bool:
    """Check the check digits of an IBAN (ISO 13616)."""
    digits = "".join(str(int(letter, 36)) for letter in account[4:] + account[:4])
    return sum(map(str.isdigit, account)) >= 8 and int(digits) % 97 == 1


def _is_card(digits: str) -> bool:
    """Check the network prefix and the check digit of a card (ISO/IEC 7812, Luhn)."""
    if not _ISSUER.match(digits) or len(set(digits)) == 1:
        return False
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _labelled(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield values that directly follow a label and "is"; a password has a digit."""
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            start, value = match.start(2), match[2]
            if _NOT_SECRET.match(value):
                continue
            if kind == "password":
                quote = match[1].rstrip()[-1:]
                if quote in _QUOTES:
                    value = value.split(quote)[0]
                value = value.rstrip(_CLOSING)
                if len(value.rstrip("!?")) < 6 or not _DIGIT.search(value):
                    continue
            yield kind, start, start + len(value)


_PLACEHOLDER = re.compile(r"\[[A-Za-z ]+ removed\]")
_ASSIGNED = re.compile(r"\A[A-Za-z_]{1,40}=(?=[^=]{8})")  # some formats include their name
# A value that is not removed where nothing names it: under four characters, or like a short word,
# such as the password of postgres://postgres:postgres@localhost.
_WORD = re.compile(r"\A(?:.{0,3}|[A-Za-z]?(?:[a-z]{0,10}|[A-Z]{0,10}))\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A text without its credentials, and those that were removed, in order."""

    text: str
    removed: tuple[Credential, ...] = ()


def redact(text: str, known: Iterable[Credential] = ()) -> Redacted:
    """Return one text as `redact_texts` does."""
    return redact_texts(text, known=known)[0]


def redact_texts(*texts: str, known: Iterable[Credential] = ()) -> list[Redacted]:
    """Return texts of one message with a placeholder for each credential.

    What one of them names as a credential, or what is in `known`, is removed from all: a text may
    repeat a password without naming it. A value that is spelled like a short word stays: ordinary
    sentences contain it, too.
    """
    found = {text: find_credentials(text) for text in dict.fromkeys(texts)}
    known = dict.fromkeys(chain(known, *found.values()))
    return [_redacted(text, found[text], known) for text in texts]


def _redacted(text: str, found: list[Credential], known: Iterable[Credential]) -> Redacted:
    removed = [*found]
    for one in reversed(found):
        text = text[: one.start] + _placeholder(one) + text[one.end :]
    for one in known:
        value = _ASSIGNED.sub("", one.value.strip())
        if not _WORD.match(value) and value in text:
            whole = rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])"
            text, count = re.subn(whole, _placeholder(one), text)
            removed += [one] * bool(count)
    return Redacted(text=text, removed=tuple(removed))


def redact_json(value: Any, known: Iterable[Credential] = ()) -> Any:
    """Return a JSON value with its strings redacted; names of fields stay."""
    known = tuple(known)
    if isinstance(value, str):
        return redact(value, known).text
    if isinstance(value, list):
        return [redact_json(one, known) for one in value]
    if isinstance(value, dict):
        return {name: redact_json(one, known) for name, one in value.items()}
    return value


def is_redacted(text: str) -> bool:
    """Return whether `text` contains a placeholder."""
    return _PLACEHOLDER.search(text) is not None


def _placeholder(one: Credential) -> str:
    return f"[{one.kind} removed]"
