"""Numbers of payment cards, recognised by their issuer, their length and their check digit."""

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


def find_cards(text: str) -> Iterator[Found]:
    """Yield the kind, start and end of each card number."""
    for match in _CARD.finditer(text):
        start = match.start(1)
        # A group of three after the number may be something else.
        for number in (match[1], re.sub(r"[ .-][0-9]{3}\Z", "", match[1])):
            if _is_card(re.sub(r"[ .-]", "", number)):
                yield "card number", start, start + len(number)
                break


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
