"""Values in other programs' exports: texts, times and names, as we keep them or not at all."""

import hashlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_LATEST = 4102444800.0  # 2100: what is later is in milliseconds, or no time
_KEY_CHARACTERS = 120
# Controls, but for those that split words, and what turns the direction of a line.
_STEERING = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]")


def text(value: Any) -> str:
    """A string that every database takes: what is no character (NUL, half of a pair of surrogates)
    becomes �. Of another type: empty."""
    if not isinstance(value, str):
        return ""
    found = value.replace("\0", "�")
    try:
        found.encode()
    except UnicodeEncodeError:
        return found.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return found


def line(value: Any, most: int) -> str:
    """A text in one line of at most `most` characters."""
    found = _STEERING.sub("", text(value)[: 4 * most])
    return " ".join(found.split())[:most]


def seconds(value: Any) -> float | None:
    """A time, in seconds since the epoch: of seconds or milliseconds since then, or in ISO 8601
    (UTC where it names no zone); None where it is none."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
            return seconds((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    if found > _LATEST:
        found /= 1000
    return found if math.isfinite(found) and 0 < found <= _LATEST else None


def key(value: Any) -> str | None:
    """What another program calls a thing, as we can keep it: a digest in place of a long one."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 1 << 63 else None
    found = text(value)
    if len(found) > _KEY_CHARACTERS or not found.isprintable():
        found = hashlib.sha256(found.encode()).hexdigest()
    return found or None


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; of another type: an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A list; of another type: an empty one."""
    return value if isinstance(value, list) else []


def fenced(code: str, language: str = "") -> str:
    """A Markdown block of code, with a fence that the code does not hold."""
    fence = "```"
    while fence in code:
        fence += "`"
    word = language if language.isalnum() else ""
    return f"{fence}{word}\n{code}\n{fence}"
