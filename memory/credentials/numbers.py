"""Numbers that are recognised by their issuer, their length and their check digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memory.credentials.readable import Found

# The issuers of cards and the lengths of their numbers (ISO/IEC 7812). Visa and Maestro no longer
# issue numbers of 13 digits, which is the length of article numbers (EAN, JAN, ISBN).
_ISSUERS = re.compile(
    r"4[0-9]{15}(?:[0-9]{3})?"  # Visa
    # Mastercard
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|3[47][0-9]{13}"  # American Express
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12}(?:[0-9]{3})?"  # Discover
    r"|3(?:0[0-5]|6[0-9]|[89][0-9])[0-9]{11}"  # Diners Club
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}(?:[0-9]{3})?"  # JCB
    r"|62[0-9]{14,17}"  # UnionPay
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{12}(?:[0-9]{3})?"  # Maestro
    r"|220[0-4][0-9]{12}"  # Mir
    r"|(?:508[0-9]|60[0-9]{2}|81[0-9]{2}|82[0-9]{2})[0-9]{12}"  # RuPay
    r"|9792[0-9]{12}"  # Troy
)
# Digits as printed on cards, or without separators; not within a word, link or longer number.
_CARD = re.compile(
    r"(?<![\w+./#@$%&-])(?<!\+[0-9] )(?<!\+[0-9]{2} )(?<!\+[0-9]{3} )"
    r"([0-9]{14,19}"
    r"|[0-9]{4}([ .-])[0-9]{4}\2[0-9]{4}\2[0-9]{4}(?:\2[0-9]{3})?"
    r"|[0-9]{4}([ .-])[0-9]{6}\3[0-9]{4,5})"
    r"(?![0-9A-Za-z_/@%])",
    re.ASCII,
)
# The lengths of IBANs by country: the SWIFT registry, and other countries that use the format.
_COUNTRIES = """
AD24 AE23 AL28 AO25 AT20 AZ28 BA20 BE16 BF28 BG22 BH22 BI27 BJ28 BR29 BY28 CF27 CG27 CH21
CI28 CM27 CR22 CV25 CY28 CZ24 DE22 DJ27 DK18 DO28 DZ26 EE20 EG29 ES24 FI18 FK18 FO18 FR27
GA27 GB22 GE22 GI23 GL18 GQ27 GR27 GT28 GW25 HN28 HR21 HU28 IE22 IL23 IQ23 IR26 IS26 IT27
JO30 KM27 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MA28 MC27 MD24 ME22 MG27 MK19 ML28
MN20 MR27 MT31 MU30 MZ25 NE28 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33
SA24 SC31 SD18 SE24 SI19 SK24 SM27 SN28 SO23 ST25 SV28 TD27 TG28 TL23 TN24 TR26 UA29 VA22
VG24 XK20 YE30
"""
_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _COUNTRIES.split()}
_IBAN_START = re.compile(
    r"(?<![A-Za-z0-9])([A-Za-z]{2})[0-9]{2}(?=[ -]?[A-Za-z0-9]{2})", re.ASCII
)


def find_numbers(text: str) -> Iterator[Found]:
    """Yield the kind, start and end of cards and bank accounts."""
    for match in _CARD.finditer(text):
        start = match.start(1)
        number = _card_in(match[1])
        if number:
            yield "card number", start, start + len(number)
    for match in _IBAN_START.finditer(text):
        length = _LENGTHS.get(match[1].upper())
        if length is None:
            continue
        # One space or hyphen may precede each character.
        pattern = rf"(?:[A-Za-z0-9][ -]?){{{length - 1}}}[A-Za-z0-9](?![A-Za-z0-9])"
        account = re.compile(pattern).match(text, match.start())
        if account and _is_account(account[0]):
            yield "bank account number", *account.span()


def _card_in(digits: str) -> str:
    """Return the card number at the start of `digits`: a group after it may be something else."""
    for number in (digits, re.sub(r"[ .-][0-9]{3}\Z", "", digits)):
        if _is_card(re.sub(r"[ .-]", "", number)):
            return number
    return ""


def _is_card(digits: str) -> bool:
    """Check the issuer, the length and the check digit (Luhn) of a card."""
    if not _ISSUERS.fullmatch(digits) or len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        if value > 9:
            value -= 9
        total += value
    return total % 10 == 0


def _is_account(text: str) -> bool:
    """Check the check digits of an IBAN (ISO 13616)."""
    account = re.sub("[ -]", "", text).upper()
    if sum(map(str.isdigit, account)) < 8:
        return False
    country_last = account[4:] + account[:4]
    digits = "".join(str(int(letter, 36)) for letter in country_last)
    return int(digits) % 97 == 1
