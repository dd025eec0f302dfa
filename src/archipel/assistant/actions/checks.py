"""What can be told of an answer without a model: what should have survived and did not.

A note says which check and, where there are some, how many and which values; the page has words for
it. A small model loses numbers and addresses, goes on in its own language, says the prompt again.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from archipel.assistant.actions.spoken import language_of
from archipel.assistant.actions.table import Chosen

Note = Mapping[str, Any]
_VALUES = 5  # that a note shows
_CHARACTERS = 60  # of each
_ECHO = 40  # characters of the instruction that nobody writes by chance
_CHANGED = 0.4  # of the words, above which a correction is more than that
_FEW_WORDS = 8  # below which that says nothing
_URL = re.compile(r"[a-zA-Z][\w+.-]{0,30}://[^\s<>\"'`]+")
_NUMBER = re.compile(r"(?<!\d)(?:\d{1,3}(?:[\u00a0\u202f ’']\d{3})+(?!\d)|\d+)(?:[.,]\d+)*")
_PLACEHOLDER = re.compile(r"\{\{?[^{}\n]{1,60}\}?\}|%(?:\(\w{1,40}\))?[sdif]\b|\$\{[^{}\n]{1,60}\}")
_CODE = re.compile(r"^[ \t]*(?:```|~~~)", re.M)
_FORMS = re.compile(r"^[ \t]*(#{1,6}(?=\s)|[-*+](?=\s)|\d{1,3}[.)](?=\s)|\||>)", re.M)


def kept(source: str, answer: str, *, rephrased: bool = False) -> Iterator[Note]:
    """What differs between a text and its translation, correction or, `rephrased`, another way to
    say it, which may lose a list or a figure's place but no address. Pure."""
    yield from _differ("numbers", _numbers(source), _numbers(answer))
    yield from _differ("urls", _urls(source), _urls(answer))
    yield from _differ("placeholders", _found(_PLACEHOLDER, source), _found(_PLACEHOLDER, answer))
    blocks = abs(_blocks(source) - _blocks(answer))
    if blocks:
        yield {"code": "code_blocks", "count": blocks}
    if not rephrased and _forms(source) != _forms(answer):
        yield {"code": "formatting"}


def invented(source: str, answer: str) -> Iterator[Note]:
    """Figures and addresses of a summary that its text does not have. Pure."""
    numbers = set(_numbers(answer)) - set(_numbers(source))
    yield from _listed("new_numbers", sorted(one for one in numbers if len(one) > 1))
    yield from _listed("new_urls", sorted(set(_urls(answer)) - set(_urls(source))))


def said(answer: str, instruction: str, wanted: str | None) -> Iterator[Note]:
    """What is wrong with any answer: empty, the instruction again, another language. Pure."""
    if not answer.strip():
        yield {"code": "empty"}
        return
    if instruction[:_ECHO] in answer:
        yield {"code": "prompt_repeated"}
    spoken = language_of(answer)
    if wanted is not None and spoken not in (None, wanted):
        yield {"code": "language", "values": [spoken]}


def of_kind(chosen: Chosen, source: str, answer: str) -> Iterator[Note]:
    """What an action's answers are held to. Pure."""
    name = chosen.action.name
    if not answer.strip():
        return
    if chosen.action.way == "parts":
        yield from kept(source, answer, rephrased=name == "rewrite")
    if name == "summarise":
        yield from invented(source, answer)
    if name == "translate" and len(source) > _ECHO and source.strip() == answer.strip():
        yield {"code": "unchanged"}
    if name == "correct" and _changed(source, answer) > _CHANGED:
        yield {"code": "much_changed"}


def _differ(code: str, before: Counter[str], after: Counter[str]) -> Iterator[Note]:
    lost, new = before - after, after - before
    yield from _listed(code, [*lost.elements(), *new.elements()], max(lost.total(), new.total()))


def _listed(code: str, values: list[str], count: int | None = None) -> Iterator[Note]:
    if values:
        shown = [value[:_CHARACTERS] for value in dict.fromkeys(values)][:_VALUES]
        yield {"code": code, "count": count or len(values), "values": shown}


def _found(pattern: re.Pattern[str], text: str) -> Counter[str]:
    return Counter(pattern.findall(text))


def _numbers(text: str) -> Counter[str]:
    """By their digits: 1,000.5 and 1 000,5 are one number, 05 and 5; addresses and placeholders
    have none."""
    found = _NUMBER.findall(_PLACEHOLDER.sub(" ", _URL.sub(" ", text)))
    digits = ("".join(filter(str.isdecimal, number)) for number in found)
    return Counter(one.lstrip("0") or "0" for one in digits)


def _urls(text: str) -> Counter[str]:
    return Counter(url.rstrip(".,;:!?)]}»*_") for url in _URL.findall(text))


def _blocks(text: str) -> int:
    return (len(_CODE.findall(text)) + 1) // 2


def _forms(text: str) -> Counter[str]:
    return Counter("1" if form[0].isdigit() else form for form in _FORMS.findall(text))


def _changed(source: str, answer: str) -> float:
    before, after = Counter(source.split()), Counter(answer.split())
    most = max(before.total(), after.total())
    return 0.0 if most < _FEW_WORDS else 1 - (before & after).total() / most
