"""Our own credentials taken out of what others say of them. Pure."""

import re
from collections.abc import Collection, Mapping

_HEADERS = ("Authorization", "api-key", "x-api-key")  # in which providers are sent a key
_BEGINNING = 8  # characters of a key that tell it from other words
_HIDDEN = "[redacted]"


def credentials(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The keys in a request's headers."""
    sent = (headers[name].removeprefix("Bearer ") for name in _HEADERS if name in headers)
    return tuple(key for key in sent if key)


def without(keys: Collection[str], text: str) -> str:
    """The text without these keys, nor any word that begins as one does: suppliers show keys
    shortened, as `sk-12345***wxyz`."""
    for key in keys:
        text = _expression(key).sub(_HIDDEN, text)
    return text


def _expression(key: str) -> re.Pattern[str]:
    if len(key) < _BEGINNING:
        return re.compile(rf"(?<!\w){re.escape(key)}(?!\w)")
    return re.compile(rf"{re.escape(key[:_BEGINNING])}[^\s\"',;()]*")
