"""Values that a text names: behind a label such as "password", in a header, a command or a link."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from memory.credentials.keys import is_random, share_left
from memory.credentials.readable import Found

_MARK = r"[\"'`*_~\\“”„«»‹›「」『』]"
# Labels of what a person chooses to log in with. A value may follow them directly.
_PASSWORDS = (
    r"(?:password|passcode|passphrase|(?<![^\W_])(?:passwd|pass|pwd|pw)"
    r"|(?<![^\W_])wi-?fi key|パスワード|パスコード|パスフレーズ)"
)
_PINS = r"(?:(?<![^\W_])pin(?:[ -](?:code|number))?|暗証番号)"
# Labels of keys. A value may follow them directly if it is random.
_KEYS = (
    r"(?:token|(?:api|access|secret|private|account|admin|master|encryption)[ _-]?key"
    r"|client[ _-]secret|トークン|(?:api ?|シークレット|アクセス)キー|秘密鍵)"
)
# Names of settings and parameters that are too common in sentences: a colon or equals sign must
# follow.
_SETTINGS = r"(?<![^\W_])(?:secret|auth|sig|signature|session[ _-]?id|credentials?)"
_SIGN = rf"{_MARK}{{0,3}}\s{{0,3}}[:=]{{1,2}}\s{{0,3}}{_MARK}{{0,3}}\s?"
_IS = (
    rf"{_MARK}{{0,3}}(?:\s{{0,3}}[:=]{{1,2}}|'s\s|\s{{1,3}}is\b\s?:?|\s?は:?)"
    rf"\s{{0,3}}{_MARK}{{0,3}}\s?"
)
# What a label is for, between the label and "is": "the password for the guest wifi is …".
_PURPOSE = (
    r"(?:\s?[(（][^()（）\r\n]{1,30}[)）]"
    r"|\s(?:for|to|of|at|in|on)(?:\s[\w'’&.-]{1,20}){1,4}?)"
)
# Nobody types the last two: between them an app may have what becomes a name.
_UNBROKEN = (
    r"[^\s\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7ff\uf900-\uffef“”„«»‹›\ue001\ue002]"
)
# Characters that are read after each label; a longer value is still removed whole.
_MOST_VALUE = 512
_VALUE = rf"{_UNBROKEN}{{6,{_MOST_VALUE}}}+"
_REST = re.compile(rf"{_UNBROKEN}*+")


_NAMES = re.compile(
    rf"(?P<password>{_PASSWORDS})|(?P<pin>{_PINS})|(?P<key>{_KEYS})|(?P<setting>{_SETTINGS})"
    r"|--[a-z-]{0,20}(?P<option>password|passwd|token|secret|key)(?=\s)",
    re.IGNORECASE,
)
# What separates a label from its value. An option of a command is followed directly by its value.
_IS_VALUE = re.compile(rf"(?P<between>{_IS})(?P<value>{_VALUE})", re.IGNORECASE)
# A "pass" for somewhere has a price.
_PURPOSE_VALUE = re.compile(
    rf"(?<!\bpass)(?P<between>{_PURPOSE}{_IS})(?={_UNBROKEN}{{0,64}}[0-9])(?P<value>{_VALUE})",
    re.IGNORECASE,
)
_SIGN_VALUE = re.compile(rf"(?P<between>{_SIGN})(?P<value>{_VALUE})")
_OPTION_VALUE = re.compile(rf"(?P<between>\s[\"']?)(?P<value>{_VALUE})")
_BESIDE_VALUE = re.compile(
    rf"(?P<between>\s{{1,2}}{_MARK}{{0,3}}\s?)(?P<value>{_VALUE})"
)
_PASSWORD_OPTIONS = ("password", "passwd")
_LEAST_NAMED = 6
_LEAST_BESIDE = 8
_LEFT_BESIDE = 0.25  # see `memory.credentials.keys`: "hunter2x", not "base64-encoded"

_CODES = r"暗証番号|認証コード|セキュリティコード|ワンタイム(?:コード|パスワード)"
# The kind of each value, and its pattern, whose group is the value.
_EXACT: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "security code",
        re.compile(
            r"(?:(?:(?<![^\W_])(?:PIN(?: number)?|CV[VC]2?|door code|one-time (?:code|password)|OTP"
            rf"|verification code)|{_CODES}){_IS}"
            # India's postal codes are "PIN codes" of six digits.
            rf"|(?<![^\W_])PIN code{_IS}(?![0-9]{{6}}(?![0-9]))"
            rf"|(?:(?<![^\W_])CV[VC]2?(?=\s?[0-9]{{3}}(?![0-9]))|{_CODES})"
            r"\s?(?![0-9]{1,8}[一-鿿]))"  # before a kanji: a count
            r"([0-9]{3,8})(?![0-9A-Za-z]|[/.,:-][0-9])",
            re.IGNORECASE,
        ),
    ),
    (
        "My Number",
        re.compile(
            r"(?:(?:マイナンバー|個人番号)(?:カード)?(?:の番号)?|(?-i:M[yY] N(?:umber|UMBER)))"
            rf"[(「]?(?:{_IS}|\s?)([0-9]{{4}}[ -]?[0-9]{{4}}[ -]?[0-9]{{4}})(?![0-9])",
            re.IGNORECASE,
        ),
    ),
    (
        "social security number",
        re.compile(
            rf"(?<![^\W_])(?:SSN|social security(?: number)?)(?:{_IS}|\s)"
            r"([0-9]{3}-[0-9]{2}-[0-9]{4})(?![0-9])",
            re.IGNORECASE,
        ),
    ),
    (
        "recovery phrase",
        re.compile(
            rf"(?:seed|recovery|mnemonic)[ -](?:phrase|words){_IS}"
            r"((?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8})(?![a-z])",
            re.IGNORECASE,
        ),
    ),
    (
        "access key",
        re.compile(
            r"authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:[A-Za-z][A-Za-z0-9-]{0,20}\s{1,3})?"
            r"([A-Za-z0-9._~+/=:-]{8,})",
            re.IGNORECASE,
        ),
    ),
    ("access key", re.compile(r"(?<!\w)Bearer\s{1,3}([A-Za-z0-9._~+/=-]{20,})", re.I)),
    # A parameter of a link.
    (
        "access key",
        re.compile(r"[?&][A-Za-z-]{0,32}(?:sig|signature)=([^\s&#<>\"'`]{16,})", re.I),
    ),
)
# Commands that take a password as an option.
_COMMANDS = (
    re.compile(r"(?<!\S)(?:-u|--user)[\s=]{1,3}[\"']?[^\s:\"']{1,64}:([^\s\"']{4,})"),
    re.compile(
        r"\b(?:mysql|mysqldump|mysqladmin|mariadb|sshpass|login)\b[^\r\n|;]{0,160}?\s-p\s?"
        r"[\"']?([^\s\"']{6,})"
    ),
)
# The name, which may be missing, and the password in an address.
_LOGIN = re.compile(
    r"(?<=://)([^\s:/?#@\[\]<>\"'`]{0,64}):([^\s:/?#@\[\]<>\"'`${}]{1,256}+)@(?![\s.])"
)
_COOKIES = re.compile(r"(?<!\w)(?:set-)?cookie\s?:[^\r\n]{0,4096}", re.IGNORECASE)
_COOKIE = re.compile(r"[\w.-]{1,64}=([^\s;,\"']{16,})")
_CODES_LIST = re.compile(
    r"(?:recovery|backup)[ -](?:codes?|keys?)(?:\s(?:is|are))?\s?:?\s{0,3}",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"([A-Za-z0-9]{4,10}(?:-[A-Za-z0-9]{4,10}){0,7})(?![A-Za-z0-9])[\s,]{0,3}"
)
_MOST_CODES = 20

_NOT_SECRET = re.compile(
    r"<?https?://|<[@#!]|\d{4}([-/.])\d{1,2}\1\d{1,2}$|\d{1,2}:\d{2}:\d{2}$"
)
# The next setting in a link or connection string: "password=…;user=…".
_NEXT_SETTING = re.compile(r"[;&][A-Za-z][\w .-]{0,40}=")
_DIGIT = re.compile(r"[0-9]")
_POSTAL = re.compile("pin code", re.IGNORECASE)  # in India: "my PIN code is 560001"
_QUOTES = frozenset("\"'`")
_CLOSING = ".,;:…\"'`)]}>*_~|"


def find_labelled(text: str) -> Iterator[Found]:
    """Yield the kind, start and end of each value that a text names."""
    yield from _behind_labels(text)
    for kind, pattern in _EXACT:
        for match in pattern.finditer(text):
            if kind != "access key" or _DIGIT.search(match[1]):
                yield kind, *match.span(1)
    for command in _COMMANDS:
        for match in command.finditer(text):
            if _DIGIT.search(match[1]) and not match[1].isdigit():
                yield "password", *match.span(1)
    for match in _LOGIN.finditer(text):
        if match[1] != match[2]:
            yield "password", *match.span(2)
    yield from _cookies(text)
    yield from _recovery_codes(text)


def _behind_labels(text: str) -> Iterator[Found]:
    """Yield values that follow a label.

    After "is", a sign or a command's option, a value has at least six characters and a digit.
    Directly after its label, a password must be unlike a word, and a key must be random, which it
    must also be after the words that say what it is for.
    """
    end = 0
    for label in _NAMES.finditer(text):
        if label.start() < end:  # a part of the value before it
            continue
        kind = "access key"
        if label["password"] or label["pin"] or label["option"] in _PASSWORD_OPTIONS:
            kind = "password"
        pattern = _IS_VALUE
        if label["setting"]:
            pattern = _SIGN_VALUE
        elif label["option"]:
            pattern = _OPTION_VALUE
        values = _value_after(text, label, pattern, _is_named)
        if not values:
            # What is in brackets in "password (hunter2x) is …" may be a value or say what the label
            # is for.
            values += _value_after(text, label, _BESIDE_VALUE, _is_secret_beside)
            values += _value_after(text, label, _PURPOSE_VALUE, _is_secret_for)
        for start, end in values:
            yield kind, start, end


def _value_after(
    text: str,
    label: re.Match[str],
    pattern: re.Pattern[str],
    is_secret: Callable[[re.Match[str], str], bool],
) -> list[tuple[int, int]]:
    """Return the start and the end of the value that `pattern` finds behind a label, if any."""
    match = pattern.match(text, label.end())
    # A link, a mention, a date and a time are no values.
    if match is None or _NOT_SECRET.match(match["value"].rstrip(_CLOSING)):
        return []
    value = match["value"]
    quote = match["between"].rstrip()[-1:]
    if quote and quote in _QUOTES:
        value = value.split(quote)[0]
    value = _NEXT_SETTING.split(value)[0].rstrip(_CLOSING)
    if not is_secret(label, value):
        return []
    start = match.start("value")
    end = start + len(value)
    if len(value) >= _MOST_VALUE:
        # It may be the beginning of a longer one.
        rest = _REST.match(text, end)
        end = rest.end() if rest else end
    return [(start, end)]


def _is_named(label: re.Match[str], value: str) -> bool:
    if _POSTAL.match(label[0]) and value.isdigit():
        return False
    is_long = len(value.rstrip("!?")) >= _LEAST_NAMED
    return is_long and _DIGIT.search(value) is not None


def _is_secret_beside(label: re.Match[str], value: str) -> bool:
    if label["pin"] or value.isdigit() or not _DIGIT.search(value):
        return False
    if label["password"]:
        return len(value) >= _LEAST_BESIDE and share_left(value) >= _LEFT_BESIDE
    return is_random(f"key_{value}")


def _is_secret_for(label: re.Match[str], value: str) -> bool:
    if label["password"]:
        return _is_named(label, value)
    return bool(label["key"]) and is_random(f"key_{value}")


def _cookies(text: str) -> Iterator[Found]:
    for line in _COOKIES.finditer(text):
        for match in _COOKIE.finditer(text, line.start(), line.end()):
            if _DIGIT.search(match[1]):
                yield "access key", *match.span(1)


def _recovery_codes(text: str) -> Iterator[Found]:
    """Yield the codes that follow a label, up to the first one without a digit."""
    for label in _CODES_LIST.finditer(text):
        end = label.end()
        for _ in range(_MOST_CODES):
            match = _CODE.match(text, end)
            if match is None or not _DIGIT.search(match[1]):
                break
            yield "recovery code", *match.span(1)
            end = match.end()
