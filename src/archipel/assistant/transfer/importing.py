"""An import from the first byte to the report: each conversation is one transaction, and of each it
is said what became of it."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from archipel.assistant.desk import Desk
from archipel.assistant.transfer.archive import Part, contents, told
from archipel.assistant.transfer.elements import elements
from archipel.assistant.transfer.forms import known
from archipel.assistant.transfer.planting import plant
from archipel.assistant.transfer.tree import Tree, grown
from archipel.assistant.transfer.values import line, mapping
from archipel.errors import DatabaseError, NotImportable

_TITLE_CHARACTERS = 200
_FAILURES = 3  # of the database, one after the other: then it is not the conversation's fault

Event = dict[str, Any]


@dataclass(frozen=True)
class _Found:
    """A conversation that can be written, or why it can't and what it held."""

    title: str
    tree: Tree | NotImportable
    left: Mapping[str, int] = field(default_factory=dict)


@dataclass
class _Sum:
    """What became of the conversations of a file, or of all."""

    imported: int = 0
    updated: int = 0
    there: int = 0
    left_out: int = 0
    messages: int = 0
    left: Counter[str] = field(default_factory=Counter)

    def add(self, event: Event) -> None:
        setattr(self, event["what"], getattr(self, event["what"]) + 1)
        self.messages += event.get("messages", 0)
        self.left.update(event.get("left", {}))

    def told(self) -> Event:
        return {**vars(self), "left": dict(self.left)}


async def bring(desk: Desk, owner: str, file: IO[bytes], name: str) -> AsyncGenerator[Event]:
    """Import a file for an owner. What happens, as it happens:

    - {"kind": "conversation", "file", "title", "what": "imported" | "updated" | "there" |
      "left_out", "messages": written, "left": {kind: messages not taken}, "conversation": id,
      "reason": {"code", "message"} of one left out, "done": share of the whole, from 0 to 1}
    - {"kind": "file", "file", "imported", "updated", "there", "left_out", "messages", "left",
      "reason": why no more was read of it, or null}
    - {"kind": "end", the same sums, "others": files that are not conversations, "reason"}
    """
    total = _Sum()
    try:
        inside = await asyncio.to_thread(contents, file, name)
    except NotImportable as error:
        yield _end(total, 0, error)
        return
    for refused, why in inside.refused:
        yield {"kind": "file", "file": refused, **_Sum().told(), "reason": _reason(why)}
    size, before = sum(part.size for part in inside.parts), 0
    try:
        for part in inside.parts:
            async for event in _bring_part(desk, owner, part, total):
                if "done" in event:
                    event["done"] = round((before + event["done"]) / max(1, size), 4)
                yield event
            before += part.size
    except DatabaseError as error:
        yield _end(total, inside.others, error)
        return
    nothing = NotImportable(
        "there is no conversations.json or conversations-000.json in it.", "nothing"
    )
    yield _end(total, inside.others, None if inside.parts or inside.refused else nothing)


async def _bring_part(desk: Desk, owner: str, part: Part, total: _Sum) -> AsyncGenerator[Event]:
    """Raises DatabaseError where it is of no use to go on."""
    steps, reason, failures = _found(part, desk.clock()), None, 0
    own = _Sum()
    while True:
        try:
            step = await asyncio.to_thread(next, steps, None)
        except NotImportable as error:
            reason = error
            break
        if step is None:
            break
        found, place = step
        event: Event = {"kind": "conversation", "file": part.name}
        try:
            event |= await _planted(desk, owner, found)
            failures = 0
        except DatabaseError as error:
            failures += 1
            if failures == _FAILURES:
                raise
            event |= {"title": found.title, "what": "left_out", "reason": _reason(error)}
        own.add(event)
        total.add(event)
        yield event | {"done": place}
    yield {"kind": "file", "file": part.name, **own.told(), "reason": _reason(reason)}


def _found(part: Part, now: float) -> Iterator[tuple[_Found, int]]:
    """The conversations of a part, or why one is none, each with the bytes read so far.

    Raises:
        NotImportable: no more can be read.
    """
    with told():
        file = part.open()
    with file:
        found = elements(file)
        while True:
            with told():
                element = next(found, None)
            if element is None:
                return
            yield _tree(element, now), min(file.tell(), part.size)


def _tree(element: Any, now: float) -> _Found:
    if isinstance(element, NotImportable):
        return _Found("", element)
    title = line(mapping(element).get("title"), _TITLE_CHARACTERS)
    try:
        tree = grown(known.told(element), now)
    except NotImportable as error:
        return _Found(title, error)
    if tree.messages:
        return _Found(tree.title, tree)
    left = ", ".join(f"{count} {kind}" for kind, count in tree.left.items()) or "none at all"
    why = NotImportable(f"it has no message to keep ({left}).", "no_messages")
    return _Found(tree.title, why, tree.left)


async def _planted(desk: Desk, owner: str, found: _Found) -> Event:
    """What became of it.

    Raises:
        DatabaseError: it can't be written; nothing of it is.
    """
    tree = found.tree
    event: Event = {"title": found.title, "left": dict(found.left)}
    if isinstance(tree, NotImportable):
        return event | {"what": "left_out", "reason": _reason(tree)}
    outcome = await desk.writing(lambda connection, _: plant(connection, owner, tree))
    return event | {"left": dict(tree.left), **asdict(outcome)}


def _reason(error: NotImportable | DatabaseError | None) -> Event | None:
    if error is None:
        return None
    code = error.code if isinstance(error, NotImportable) else "database"
    return {"code": code, "message": str(error)}


def _end(total: _Sum, others: int, error: NotImportable | DatabaseError | None) -> Event:
    return {"kind": "end", **total.told(), "others": others, "reason": _reason(error)}
