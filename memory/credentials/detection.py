"""Find credentials in text: token formats, labelled values, and numbers with a check digit.

Each rule reads a limited number of characters, so that the time is linear in the text's length.
docs/decisions/0016-credentials.md describes the rules, their limits and measurements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from memory.credentials.credential import Credential, CredentialKind
from memory.credentials.numbers import find_ibans, find_numbers

if TYPE_CHECKING:
    from detect_secrets.plugins.base import RegexBasedDetector

_PRIVATE_KEY, _BASIC_AUTH = "Private Key", "Basic Auth Credentials"  # names of the library
_WINDOW, _OVERLAP = 2_048, 1_024  # characters of a line passed to one pattern of the library
_KEY_LENGTH, _KEY_PREAMBLE = 20_000, 400  # characters of a private key, and before its body
_VALUE = 256  # characters of a labelled value that are searched for a digit

# The modules of detect-secrets for fixed formats. Not included: modules that measure entropy or
# search for keywords, IP addresses or variable names (IBM Cloud, npm).
_DETECTORS = (
    "artifactory aws azure_storage_key basic_auth discord github_token gitlab_token jwt mailchimp "
    "private_key pypi_token sendgrid slack square_oauth stripe telegram_token twilio"
)

# Token prefixes that detect-secrets 1.5.0 does not detect.
_VENDOR_TOKENS = [
    re.compile(
        r"(?:sk-ant-|sk-proj-|github_pat_|xapp-|xoxe[.-]|[sr]k_test_|AIza|ya29\.|GOCSPX-|npm_|hf_"
        r"|shp(?:at|ss)_|do[opr]_v1_|hv[sb]\.|dapi|dckr_pat_|whsec_|glsa_|lsv2_)"
        r"[A-Za-z0-9._-]{16,512}"
    ),
    re.compile(r"https://discord(?:app)?\.com/api/webhooks/[0-9]{15,25}/[A-Za-z0-9_-]{40,120}"),
    # As the library's, which reads from each "sk-" to the end of the window.
    re.compile(r"sk-(?:(?!sk-|T3BlbkFJ)[A-Za-z0-9_-]){20,120}+T3BlbkFJ[A-Za-z0-9_-]{20,120}"),
    re.compile(r"sk-[A-Za-z0-9]{40,64}|sq0atp-[A-Za-z0-9_-]{22,64}|key-[0-9a-f]{32}"),
    re.compile(r"AGE-SECRET-KEY-1[A-Z0-9]{50,64}"),
    re.compile(r"(?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9/+=]{40,1000}"),  # AWS session tokens
    re.compile(r"[A-Za-z0-9_.~-]{3}[78]Q~[A-Za-z0-9_.~-]{31,34}"),  # Azure client secrets
    re.compile(r"[?&]sig=([A-Za-z0-9%/+]{40,120})"),  # Azure shared access signatures
    re.compile(r"[Aa]uthorization: ?(?:[Bb]asic|[Bb]earer) ([A-Za-z0-9+/=._~-]{16,1000})"),
    re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://:([^\s/@:]{6,128})@"),
    re.compile(
        r"otpauth://[a-z]{4}/[^\s?]{0,200}\?(?:[^\s&]{1,100}&){0,5}secret=([A-Z2-7]{16,128})"
    ),
]
# Values that are too short or too plain to be found without the name before or after them.
_IS = r"\s{0,3}(?:is|[:：=]|は)?\s{0,3}"
_NAMED: tuple[tuple[CredentialKind, re.Pattern[str]], ...] = (
    (
        "id_number",
        re.compile(
            rf"(?i:\b(?:SSN|social security (?:number|no\.?))){_IS}"
            r"([0-9]{3}([ -]?)[0-9]{2}\2[0-9]{4})(?![0-9-])"
            rf"|(?i:\bpassport (?:number|no\.?)|パスポート番号){_IS}"
            r"([A-Z]{0,2}[0-9]{6,9}[A-Z]?[0-9]?)\b"
            rf"|免許証番号{_IS}([0-9]{{12}})(?![0-9])"
        ),
    ),
    (
        "security_code",
        re.compile(rf"(?i:\b(?:CVV2?|CVC2?)|セキュリティコード){_IS}([0-9]{{3,4}})(?![0-9])"),
    ),
    (
        "security_code",
        re.compile(
            r"(?:\bPIN(?: code| number)?\s{0,3}(?: is|[:=])|暗証番号\s?(?:は|[:：=])"
            r"|(?i:\b(?:door code|one-time (?:code|password)|OTP|verification code)"
            r"\s{0,3}(?: is|[:=]))"  # words: literal
            r"|(?:認証コード|ワンタイム(?:コード|パスワード))\s?(?:は|[:：=]))"
            r"\s{0,3}([0-9]{4,8})(?![0-9A-Za-z/.,:-]?[0-9])"
        ),
    ),
    (
        "bank_account",
        re.compile(r"口座番号\s?(?:は|[:：=])\s{0,3}([0-9]{6,8})(?![0-9])"),
    ),
    (
        "password",
        re.compile(
            r"(?<!\S)(?=[^\s]{0,63}[0-9])(?=[^\s]{0,63}[A-Za-z])([A-Za-z0-9!#$%&*+?@^_~-]{6,64})"
            r"(?: (?i:(?:is|as) my (?:password|passcode|passphrase))\b"
            r"|\s?が(?:パスワード|暗証番号))"
        ),
    ),
    (
        "private_key",
        re.compile(
            r"(?i:\b(?:seed|recovery|mnemonic) phrase)(?: is|:)\s{1,3}"
            r"((?:[a-z]{3,8} ){11,23}[a-z]{3,8})\b"
        ),
    ),
)

# Full-width ASCII, hyphens and spaces map to one ASCII character each; invisible ones are removed.
_FOLD: dict[int, int | str] = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212), "-"),
    **dict.fromkeys((0x2018, 0x2019), "'"),
    **dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x3000), " "),
}
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
_IN_WORD = re.compile(r"(?<=[A-Za-z0-9])[A-Za-z0-9]")
_LINE = re.compile(r"[^\r\n]{7,}")  # a line with the shortest format, ://a:b@, or a longer one
_REST = re.compile(r"[A-Za-z0-9_+/=~-]*(?:\.[A-Za-z0-9_+/=~-]+)*")
_KEY_END = re.compile(r"-----END[A-Z0-9 ]{0,40}-----")
_KEY_BODY = re.compile(
    r"[A-Za-z0-9+/=\\]{16,}(?:\s+[A-Za-z0-9+/=\\]{16,}"
    r"|\r?\n(?:[A-Za-z0-9+/=]+|[A-Za-z-]+: [^\r\n]*)(?![^\r\n]))*"
)
_DIGIT = re.compile(r"[0-9]")

_MARK = r"[\"'`*_~\\“”„«»‹›「」『』]"
_LABEL = re.compile(
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
    rf"{_MARK}{{0,3}}"
    r"(?:\s{0,3}[:=]{1,2}|'s\s|\s{1,3}(?:is|ist|lautet|(?:c')?est|es|é)\b\s?:?"
    r"|\s?(?:は|是|为|為|은|는):?)"
    rf"\s{{0,3}}{_MARK}{{0,3}}\s?",
    re.IGNORECASE,
)
_UNBROKEN = r"[^\s\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7ff\uf900-\uffef“”„«»‹›]"
_TOKEN = re.compile(rf"{_UNBROKEN}{{6,{_VALUE}}}")
_UNBROKEN_REST = re.compile(rf"{_UNBROKEN}*")
_NOT_SECRET = re.compile(r"<?https?://|<[@#!]|\d{4}([-/.])\d{1,2}\1\d{1,2}$|\d{1,2}:\d{2}:\d{2}$")
_QUOTES, _AROUND = frozenset("\"'`"), " \t\"'=:"
_CLOSING = ".,;:…\"'`)]}>*_~|"


def find_credentials(text: str) -> list[Credential]:
    """Return the credentials in `text`, in order and without overlaps."""
    folded, offsets = _folded(text)
    found = sorted(
        chain(
            _formats(folded),
            find_numbers(folded),
            find_ibans(folded),
            _labelled(folded),
            _named(folded),
        ),
        key=lambda credential: (credential.start, -credential.end),
    )
    merged: list[Credential] = []
    for one in found:
        if merged and one.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Credential(last.kind, last.start, max(last.end, one.end))
        else:
            merged.append(one)
    if offsets is None:
        return merged
    return [Credential(one.kind, offsets[one.start], offsets[one.end - 1] + 1) for one in merged]


def holds_secret(text: str) -> bool:
    """Return whether `text` contains a credential."""
    return bool(find_credentials(text))


def _folded(text: str) -> tuple[str, list[int] | None]:
    """Return `text` in ASCII forms, and the original offsets if characters were removed."""
    if text.isascii():
        return text, None
    folded = text.translate(_FOLD)
    if not _INVISIBLE.search(folded):
        return folded, None
    offsets = [index for index, letter in enumerate(folded) if not _INVISIBLE.match(letter)]
    return _INVISIBLE.sub("", folded), offsets


@cache
def _detectors() -> tuple[RegexBasedDetector, ...]:
    """Return the detectors; detect-secrets is imported at the first call."""
    from detect_secrets.plugins.base import RegexBasedDetector

    class VendorTokenDetector(RegexBasedDetector):
        secret_type = "Vendor Token"  # noqa: S105 - a name, no secret
        denylist = _VENDOR_TOKENS

    modules = [import_module(f"detect_secrets.plugins.{name}") for name in _DETECTORS.split()]
    detectors: list[type[RegexBasedDetector]] = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, RegexBasedDetector)
        if value.__module__ == module.__name__
    ]
    detectors.append(VendorTokenDetector)
    return tuple(detector() for detector in detectors)


def _formats(text: str) -> Iterator[Credential]:
    windows = list(_windows(text))
    for detector in _detectors():
        for pattern in detector.denylist:
            if detector.secret_type == _PRIVATE_KEY:
                yield from _private_keys(pattern, text)
            else:
                yield from _tokens(detector, pattern, text, windows)


def _tokens(
    detector: RegexBasedDetector,
    pattern: re.Pattern[str],
    text: str,
    windows: Sequence[tuple[int, str]],
) -> Iterator[Credential]:
    """Yield the matches of one pattern, each extended to the end of its token."""
    password = detector.secret_type == _BASIC_AUTH
    covered = 0
    for offset, window in windows:
        for match in pattern.finditer(window):
            group = match.lastindex or 0
            if not password and len(match[group]) < 6:
                group = 0  # the group is only the prefix, as in GitHub's pattern
            value = match[group].rstrip(_AROUND)
            end = offset + match.start(group) + len(value)
            start = end - len(value.lstrip(_AROUND))
            if start < covered or _IN_WORD.match(text, start):
                continue
            if not (value if password else _DIGIT.search(value)):
                continue  # an empty value, or a word in capitals
            if not any(detector.analyze_string(match[0])):
                continue  # a JSON Web Token whose parts are not JSON
            covered = _end(_REST, text, end)
            yield Credential("password" if password else "access_key", start, covered)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start


def _windows(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its offset; long lines are split into overlapping parts."""
    for line in _LINE.finditer(text):
        for start in range(line.start(), line.end(), _WINDOW - _OVERLAP):
            yield start, text[start : min(start + _WINDOW, line.end())]
            if start + _WINDOW >= line.end():
                break


def _private_keys(header: re.Pattern[str], text: str) -> Iterator[Credential]:
    """Yield each header with the key that follows it; a header in prose must have a key."""
    matches = list(header.finditer(text))
    for match, following in zip_longest(matches, matches[1:]):
        begin, end = match.span()
        limit = min(end + _KEY_LENGTH, following.start() if following else len(text))
        body = _KEY_BODY.search(text, end, min(end + _KEY_PREAMBLE, limit))
        last = _KEY_END.search(text, end, limit) or (
            body and _KEY_BODY.match(text, body.start(), limit)
        )
        dashes = text.endswith("-----", 0, begin) and text.startswith("-----", end)
        if last or dashes:
            begin, end = begin - 5 * dashes, last.end() if last else end + 5
            yield Credential("private_key", begin, end)


def _named(text: str) -> Iterator[Credential]:
    """Yield values that directly follow or precede their name."""
    for kind, pattern in _NAMED:
        for match in pattern.finditer(text):
            group = next(n for n in range(1, pattern.groups + 1) if (match[n] or "").strip(" -"))
            yield Credential(kind, match.start(group), match.end(group))


def _labelled(text: str) -> Iterator[Credential]:
    """Yield tokens with a digit that directly follow a label and a word or sign for "is"."""
    covered = 0
    for label in _LABEL.finditer(text):
        if label.end() < covered:
            continue
        token = _TOKEN.match(text, label.end())
        if token is None or _NOT_SECRET.match(token[0]):
            continue
        value, quote = token[0], label[0].rstrip()[-1:]
        if quote in _QUOTES and quote in value:
            value = value.split(quote)[0]
        elif _DIGIT.search(value):
            covered = _end(_UNBROKEN_REST, text, token.end())
            value = text[token.start() : covered]
        value = value.rstrip(_CLOSING)
        if len(value.rstrip("!?")) >= 6 and _DIGIT.search(value):
            yield Credential("password", token.start(), token.start() + len(value))
