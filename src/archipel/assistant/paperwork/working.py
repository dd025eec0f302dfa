"""An action done on all of a file's text, stretch by stretch, several at once."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archipel.assistant.actions.acting import Reader, act
from archipel.assistant.actions.table import Chosen
from archipel.assistant.paperwork.journal import Journal
from archipel.assistant.paperwork.placing import answered, asked, marks
from archipel.assistant.paperwork.terms import not_used
from archipel.documents.blocks import Anchor
from archipel.documents.editing.rewording import is_replaced
from archipel.documents.editing.stretches import OBJECT, Change, Stretch

_AT_ONCE = 4
_FAILED = ("empty", "ran_on", "cut_short", "prompt_repeated", "much_changed")  # with such a note
_SHORT = 60  # characters of a part with a look of its own that is looked for in a translation

Note = tuple[str, list[str]]  # a code and values
Progress = Callable[[int, int], None]  # stretches done, of all


@dataclass(frozen=True)
class Said:
    """Something to look at: the stretch's number and place, a code as the actions' checks have
    them, and values."""

    number: int
    anchor: Anchor
    code: str
    values: Sequence[str] = ()


@dataclass
class Done:
    """What an action makes of a file's stretches, by number; and what is to be said of it."""

    changes: dict[int, Change] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)


@dataclass(frozen=True)
class Work:
    """An action that a model does; the journal knows what was answered before."""

    reader: Reader
    chosen: Chosen
    journal: Journal

    async def do(self, stretches: Sequence[Stretch], progress: Progress) -> Done:
        """The changes to these stretches. What is there twice is asked once.

        Raises:
            ServiceError: the service can't be reached or refuses; what was answered is kept.
        """
        done, count, places = Done(), 0, asyncio.Semaphore(_AT_ONCE)
        locks: dict[str, asyncio.Lock] = {}

        async def one(number: int, stretch: Stretch) -> None:
            nonlocal count
            async with locks.setdefault(stretch.text, asyncio.Lock()), places:
                change, notes = await self._change(stretch)
            done.changes[number] = change
            done.said += [Said(number, stretch.anchor, *note) for note in notes]
            count += 1
            progress(count, len(stretches))

        tasks = [asyncio.create_task(one(*numbered)) for numbered in enumerate(stretches)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return done

    async def _change(self, stretch: Stretch) -> tuple[Change, list[Note]]:
        put = asked(stretch)
        answer, notes = await self._answer(put.text)
        failed = [note for note in notes if note[0] in _FAILED]
        if failed or not answer.strip():
            worst = min((code for code, _ in failed), key=_FAILED.index, default=_FAILED[0])
            return Change(stretch.text), [(worst, [])]
        text, lost = answered(stretch, put, answer)
        notes = [note for note in notes if note[0] != "placeholders" or OBJECT not in stretch.text]
        notes += [("objects", [str(lost)])] if lost else []
        if unused := list(not_used(self.chosen.terms, put.text, text)):
            notes.append(("terms", unused))
        change = Change(text)
        if self.chosen.action.name == "correct" and is_replaced(stretch, change):
            return Change(stretch.text), [("much_changed", [])]
        if stretch.marked and is_replaced(stretch, change):
            change, plain = await self._look(stretch, text)
            notes += [("look", plain)] if plain else []
        return change, notes

    async def _look(self, stretch: Stretch, text: str) -> tuple[Change, list[str]]:
        """The change with the looks that parts of the old text had; and the words that lost
        theirs."""
        words = [stretch.text[mark.begin : mark.end].strip(f" {OBJECT}") for mark in stretch.marked]
        wanted = [(number, [one, await self._other(one)]) for number, one in enumerate(words)]
        found = marks(text, wanted)
        kept = {mark.of for mark in found}
        return Change(text, found), [one for number, one in enumerate(words) if number not in kept]

    async def _other(self, words: str) -> str:
        """A few words as a translation has them, where there is one."""
        if self.chosen.action.name != "translate" or len(words) > _SHORT or OBJECT in words:
            return ""
        answer, _ = await self._answer(words)
        return answer.strip().rstrip(".")

    async def _answer(self, text: str) -> tuple[str, list[Note]]:
        """What the model makes of a text, and the checks' notes."""
        key = {
            "model": self.reader.model,
            "action": self.chosen.facts,
            "terms": sorted(self.chosen.terms.items()),
            "text": text,
        }
        if (known := self.journal.get(key)) is not None:
            return str(known["text"]), [(code, values) for code, values in known["notes"]]
        pieces: list[str] = []
        facts: dict[str, Any] = {}
        async with contextlib.aclosing(act(self.reader, self.chosen, text)) as answer:
            async for piece in answer:
                pieces.append(piece.text)
                facts = {**facts, **piece.facts}
        notes = [(note["code"], _values(note)) for note in facts["action"]["notes"]]
        self.journal.add(key, {"text": "".join(pieces), "notes": notes})
        return "".join(pieces), notes


def _values(note: Mapping[str, Any]) -> list[str]:
    return [str(value) for value in note.get("values", ())]
