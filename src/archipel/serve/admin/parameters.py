"""What the admin page asks to see, read from the query of a URL. Pure."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import get_args

from archipel.errors import ConfigError
from archipel.serve.admin.holdings import KeySearch
from archipel.serve.admin.series import By, Measure, Wanted
from archipel.serve.api_error import ApiError

LARGEST = 2**31
_USUAL_DAYS = 30
_LONGEST_TEXT = 200


def asked_usage(query: Mapping[str, str], now: float) -> Wanted:
    """Which usage, the last thirty days if it does not say.

    Raises:
        ApiError: a parameter can't be read.
    """
    today = datetime.fromtimestamp(now, UTC).date()
    by, measure = query.get("by", "model"), query.get("measure", "requests")
    if by not in get_args(By):
        raise _wrong("by", ", ".join(get_args(By)))
    if measure not in get_args(Measure):
        raise _wrong("measure", ", ".join(get_args(Measure)))
    key = query.get("key")
    if key is not None and not (key.isdecimal() and len(key) < 10):
        raise _wrong("key", "a key's number")
    try:
        last = date.fromisoformat(query["last"]) if "last" in query else today
        usual = last - timedelta(days=_USUAL_DAYS - 1)
        first = date.fromisoformat(query["first"]) if "first" in query else usual
        return Wanted(
            first,
            last,
            by,  # type: ignore[arg-type]  # one of them
            measure,  # type: ignore[arg-type]
            project=_name(query, "project"),
            key=int(key) if key else None,
            model=_name(query, "model"),
        )
    except (ValueError, OverflowError):
        raise _wrong("first and last", "days, as 2026-11-30") from None
    except ConfigError as error:
        raise ApiError(400, str(error), "invalid_value") from error


def asked_keys(query: Mapping[str, str]) -> KeySearch:
    """Which keys.

    Raises:
        ApiError: a parameter can't be read.
    """
    state = query.get("state")
    if state not in (None, "in_use", "expired", "revoked"):
        raise _wrong("state", "in_use, expired or revoked")
    offset = asked_number(query, "offset", 0)
    return KeySearch(asked_text(query), _name(query, "project"), state, offset)


def asked_text(query: Mapping[str, str]) -> str:
    """What is searched.

    Raises:
        ApiError: it is too long.
    """
    text = query.get("search", "")
    if len(text) > _LONGEST_TEXT or "\0" in text:
        raise _wrong("search", f"at most {_LONGEST_TEXT} characters")
    return text


def asked_number(query: Mapping[str, str], name: str, usual: int) -> int:
    """A number from 0.

    Raises:
        ApiError: it is none.
    """
    text = query.get(name, str(usual))
    if not (text.isascii() and text.isdecimal() and int(text[:12]) <= LARGEST):
        raise _wrong(name, "a number from 0")
    return int(text)


def _name(query: Mapping[str, str], parameter: str) -> str | None:
    name = query.get(parameter)
    if name is not None and (len(name) > _LONGEST_TEXT or "\0" in name):  # PostgreSQL takes no NUL
        raise _wrong(parameter, "a name")
    return name


def _wrong(name: str, right: str) -> ApiError:
    return ApiError(400, f"{name}: give {right}.", "invalid_value", name)
