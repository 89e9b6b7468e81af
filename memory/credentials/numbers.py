"""Find numbers with a check digit: payment cards, My Numbers and IBANs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from string import ascii_letters

from memory.credentials.credential import Credential, CredentialKind

_NEAR = 24  # characters before or after a My Number that are searched for its name
_DIGITS = re.compile(r"[0-9]+(?:[ -][0-9]+)*")
_DIGIT_GROUP = re.compile(r"[0-9]+")
_NO_NUMBER_AFTER = frozenset("+./_#@$-%&" + ascii_letters)
_NO_NUMBER_BEFORE = frozenset("_/@%" + ascii_letters)
_ISSUER = re.compile(r"4|5[0-8]|6|3[04-9]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720")
_MY_NUMBER = re.compile(r"マイナンバー|個人番号|M(?:y|Y) ?N(?:umber|UMBER)")
_LETTER = re.compile(r"[A-Za-z0-9]")
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}(?:[ -]?[A-Za-z0-9]{1,3})?"
)
# Length by country, from the IBAN registry of SWIFT.
_IBAN_LENGTHS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 "
    "DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 "
    "IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 "
    "MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 "
    "SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)


def find_numbers(text: str) -> Iterator[Credential]:
    """Yield payment cards and My Numbers: digit groups separated by one space or hyphen."""
    for run in _DIGITS.finditer(text):
        before, after = text[run.start() - 1 : run.start()], text[run.end() : run.end() + 1]
        if before in _NO_NUMBER_AFTER or after in _NO_NUMBER_BEFORE:
            continue
        groups = [group.span() for group in _DIGIT_GROUP.finditer(text, *run.span())]
        index = 0
        while index < len(groups):
            taken, kind = _number(text, groups[index : index + 7])
            if kind:
                yield Credential(kind, groups[index][0], groups[index + taken - 1][1])
            index += taken


def _number(text: str, groups: list[tuple[int, int]]) -> tuple[int, CredentialKind | None]:
    """Return how many of the groups form a number with a valid check digit, and its kind."""
    sizes = [end - start for start, end in groups]
    for count, total in reversed(list(enumerate(accumulate(sizes), 1))):
        shape = tuple(sizes[:count])
        if not 12 <= total <= 19:
            continue
        digits = "".join(text[start:end] for start, end in groups[:count])
        usual = count == 1 or (shape[0] == 4 and all(3 <= size <= 6 for size in shape))
        if total >= 13 and usual and _is_card(digits):
            return count, "card_number"
        if shape in {(12,), (4, 4, 4)} and _is_my_number(digits):
            start, end = groups[0][0], groups[count - 1][1]
            around = text[max(0, start - _NEAR) : start], text[end : end + _NEAR]
            if any(map(_MY_NUMBER.search, around)):
                return count, "my_number"
    return 1, None


def _is_card(digits: str) -> bool:
    """Check the network prefix and the check digit of a card (ISO/IEC 7812, Luhn)."""
    if not _ISSUER.match(digits) or len(set(digits)) == 1:
        return False
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _is_my_number(digits: str) -> bool:
    """Check the last of twelve digits (Japan, Ministry of Internal Affairs, ordinance 85/2014)."""
    weighted = zip(digits, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=False)
    remainder = sum(int(digit) * weight for digit, weight in weighted) % 11
    return int(digits[-1]) == (0 if remainder <= 1 else 11 - remainder)


def find_ibans(text: str) -> Iterator[Credential]:
    """Yield valid account numbers: ISO 13616 (mod 97), with the length of their country."""
    for match in _IBAN.finditer(text):
        entry = _IBAN_LENGTHS.find(match[0][:2].upper())
        length = int(_IBAN_LENGTHS[entry + 2 : entry + 4]) if entry >= 0 else 0
        letters = [index for index in range(*match.span()) if text[index].isalnum()][:length]
        end = letters[-1] + 1 if letters else 0
        if not end or len(letters) < length or _LETTER.match(text, end):
            continue
        account = "".join(text[index] for index in letters).upper()
        digits = "".join(str(int(letter, 36)) for letter in account[4:] + account[:4])
        if sum(map(str.isdigit, account)) >= 8 and int(digits) % 97 == 1:
            yield Credential("bank_account", match.start(), end)
