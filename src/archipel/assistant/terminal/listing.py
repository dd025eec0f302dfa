"""One's conversations as lines of text: the newest, or those with some words."""

from collections.abc import Iterator
from datetime import datetime

from archipel.assistant.history import conversations, search
from archipel.assistant.people import LOCAL
from archipel.assistant.terminal.drawing import in_line
from archipel.database import Database

_MOST = 20


def newest(history: Database) -> Iterator[str]:
    """Number, day and title of each."""
    with history.reading() as connection:
        found = conversations.listed(connection, LOCAL.owner, _MOST)
    for one in found:
        yield f"{one.id:>5}  {_day(one.changed)}  {in_line(one.title)}"


def hits(history: Database, words: str) -> Iterator[str]:
    """Number, day, title and place of each message, or title, with these words."""
    with history.reading() as connection:
        found = search.search(connection, LOCAL.owner, words, _MOST)
    for one in found:
        place = "" if one.message is None else f": {in_line(''.join(one.piece))}"
        yield f"{one.conversation:>5}  {_day(one.created)}  {in_line(one.title)}{place}"


def last(history: Database) -> int | None:
    """The conversation in which something was said last."""
    with history.reading() as connection:
        found = conversations.listed(connection, LOCAL.owner, 1)
    return found[0].id if found else None


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
