"""Patterns that content rules know by name: email, iban, card, phone. Pure.

A number is a card's or an account's only if its check digits say so, so that others stay.
"""

from collections.abc import Callable, Iterator
from typing import Any

import re2

Span = tuple[int, int]

_EMAIL: Any = re2.compile(
    r"[A-Za-z0-9][A-Za-z0-9._%+\-]*@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}"
)
_IBAN_HEAD: Any = re2.compile(r"[A-Za-z]{2}[0-9]{2}")
_DIGITS: Any = re2.compile(r"[0-9](?:[ \-]?[0-9])*")
_PHONE: Any = re2.compile(r"(?:\+|00)[1-9](?:[ .\-/()]{0,2}[0-9]){6,13}")
_CARD_DIGITS = range(13, 20)
_CARD_GROUP = 3  # digits, the shortest
_CARD_BEGINS = "23456"
_LONGEST_IBAN = 34 + 8  # with a space after each four
# Of all countries in the IBAN registry: characters.
_IBANS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 "
    "DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 "
    "GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 "
    "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 "
    "PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 "
    "SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30 "
)
_IBAN_LENGTHS = {one[:2]: int(one[2:]) for one in _IBANS.split()}


def _emails(text: str, start: int) -> Iterator[Span]:
    return (one.span() for one in _EMAIL.finditer(text, start))


def _ibans(text: str, start: int) -> Iterator[Span]:
    last = start
    for head in _IBAN_HEAD.finditer(text, start):
        first = head.start()
        length = _IBAN_LENGTHS.get(text[first : first + 2].upper())
        if length is None or first < last or _is_word(text, first - 1):
            continue
        end = _end_of(text, first, length)
        if end and not _is_word(text, end) and is_iban(text[first:end]):
            yield first, end
            last = end


def _end_of(text: str, first: int, length: int) -> int | None:
    """Where so many letters and digits from `first` on end, single spaces between them."""
    count = 0
    for place in range(first, min(first + _LONGEST_IBAN, len(text))):
        character = text[place]
        if character.isascii() and character.isalnum():
            count += 1
        elif character != " " or text[place - 1] == " ":
            return None
        if count == length:
            return place + 1
    return None


def is_iban(text: str) -> bool:
    """Whether its check digits are right (ISO 7064, mod 97-10)."""
    compact = text.replace(" ", "").upper()
    return int("".join(str(int(one, 36)) for one in compact[4:] + compact[:4])) % 97 == 1


def _cards(text: str, start: int) -> Iterator[Span]:
    for run in _DIGITS.finditer(text, start):
        if not _is_word(text, run.start() - 1) and not _is_word(text, run.end()):
            yield from _cards_among(text, _groups(text, *run.span()))


def _groups(text: str, start: int, end: int) -> list[Span]:
    """Where the groups of digits are that a space or a dash divides."""
    groups, first = [], start
    for place in range(start, end):
        if not text[place].isdigit():
            groups.append((first, place))
            first = place + 1
    return [*groups, (first, end)]


def _cards_among(text: str, groups: list[Span]) -> Iterator[Span]:
    number = 0
    while number < len(groups):
        found = _card_at(text, groups, number)
        if found is None:
            number += 1
        else:
            yield groups[number][0], groups[found][1]
            number = found + 1


def _card_at(text: str, groups: list[Span], number: int) -> int | None:
    """The last of the groups from `number` on that together are a card's number."""
    digits = ""
    for last in range(number, len(groups)):
        first, end = groups[last]
        digits += text[first:end]
        if end - first < _CARD_GROUP or len(digits) >= _CARD_DIGITS.stop:
            return None
        if len(digits) in _CARD_DIGITS and digits[0] in _CARD_BEGINS and is_card(digits):
            return last
    return None


def is_card(digits: str) -> bool:
    """Whether its check digit is right (Luhn)."""
    doubled = [int(one) * (1 + place % 2) for place, one in enumerate(reversed(digits))]
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0


def _phones(text: str, start: int) -> Iterator[Span]:
    for one in _PHONE.finditer(text, start):
        first, end = one.span()
        if not _is_word(text, first - 1) and not _is_word(text, end):
            yield first, end


def _is_word(text: str, place: int) -> bool:
    return 0 <= place < len(text) and text[place].isalnum()


# By name: how matches are found, characters of the longest with the one after it, and whether it
# may have spaces.
PATTERNS: dict[str, tuple[Callable[[str, int], Iterator[Span]], int, bool]] = {
    "email": (_emails, 128, False),
    "iban": (_ibans, _LONGEST_IBAN + 1, True),
    "card": (_cards, 19 + 18 + 1, True),
    "phone": (_phones, 44, True),
}
