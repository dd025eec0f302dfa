"""What becomes of suggestions: shown, accepted, and still there a minute later."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from lsprotocol import types

from archipel.editor.counts import Counts, Kind
from archipel.editor.kept import is_kept, moved
from archipel.errors import DatabaseError

_KEPT_SECONDS = 60.0
_REMEMBERED = 200  # suggestions that may still be accepted

Wait = Callable[[float], Awaitable[None]]  # so many seconds


@dataclass(frozen=True)
class Suggestion:
    """A text that was suggested for a place in a document."""

    text: str
    model: str
    uri: str
    language: str
    line: int


@dataclass
class _Accepted:
    """One that waits for its minute; `line` is where it is by now."""

    kind: Kind
    text: str
    uri: str
    line: int


@dataclass
class Following:
    """Counts what becomes of suggestions. `source` gives a document's text as it is now, `today`
    the day; what can't be counted is told to `warn`."""

    counts: Counts
    source: Callable[[str], str]
    wait: Wait
    today: Callable[[], str]
    warn: Callable[[DatabaseError], None]
    _numbers: "count[int]" = field(default_factory=count)
    _shown: dict[str, tuple[Kind, Suggestion]] = field(default_factory=dict)
    _accepted: dict[str, _Accepted] = field(default_factory=dict)
    _waiting: set["asyncio.Task[None]"] = field(default_factory=set)

    async def shown(self, suggestion: Suggestion) -> str:
        """An editor is given it; gives the name by which it is accepted."""
        name = str(next(self._numbers))
        kind = Kind(self.today(), suggestion.language, suggestion.model)
        self._shown[name] = kind, suggestion
        if len(self._shown) > _REMEMBERED:
            del self._shown[next(iter(self._shown))]
        await self._count(kind, shown=1)
        return name

    async def accepted(self, name: str) -> None:
        """An editor has taken it in. What is not known by this name (any more) is not counted."""
        kind, suggestion = self._shown.pop(name, (None, None))
        if kind is None or suggestion is None:
            return
        self._accepted[name] = _Accepted(kind, suggestion.text, suggestion.uri, suggestion.line)
        task = asyncio.create_task(self._look_later(name))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        await self._count(kind, accepted=1)

    def changed(self, uri: str, changes: Sequence[types.TextDocumentContentChangeEvent]) -> None:
        """A document is another one: what was accepted in it may stand on another line."""
        for place in self._accepted.values():
            if place.uri == uri:
                for change in changes:
                    place.line = moved(place.line, change)

    async def close(self) -> None:
        """Look at all that was accepted now, since there will be no later."""
        for name in list(self._accepted):
            await self._look(name)
        for task in self._waiting:
            task.cancel()

    async def _look_later(self, name: str) -> None:
        await self.wait(_KEPT_SECONDS)
        await self._look(name)

    async def _look(self, name: str) -> None:
        """See whether it was kept, once."""
        place = self._accepted.pop(name, None)
        if place is None:
            return
        try:
            source = self.source(place.uri)
        except (OSError, UnicodeDecodeError):
            return  # the file is gone, and what was accepted with it
        if is_kept(place.text, source, place.line):
            await self._count(place.kind, kept=1)

    async def _count(self, kind: Kind, **numbers: int) -> None:
        try:
            await asyncio.to_thread(self.counts.add, kind, **numbers)
        except DatabaseError as error:
            self.warn(error)
