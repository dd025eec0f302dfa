"""Actions done by a model: what it is asked, part by part, and the answer as it grows."""

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archipel.assistant.actions import checks
from archipel.assistant.actions.cleaning import Bare
from archipel.assistant.actions.parts import Part, cut, pieces, sentences
from archipel.assistant.actions.prompts import answer_language, instruction, plain_turns, prompt
from archipel.assistant.actions.table import Action, Chosen
from archipel.assistant.actions.typography import French
from archipel.assistant.endless import Endless
from archipel.assistant.pieces import Piece, noted
from archipel.chat import ChatService, Message, ServiceError

_CLOSE = {"temperature": 0.2}  # to the text; some models take no other than their own
_NO_OPTION = ("unsupported_value", "unsupported_parameter")
_LEAST_BYTES = 300  # of a part: a context that does not take these is of no use
_TIMES, _MORE = 4, 1_000  # an answer longer than so many times its part and so many more runs on
_SHORTER = 4  # times, that the summary of a part is at least


@dataclass(frozen=True)
class Reader:
    """A model of a service; `context` in tokens, of question and answer, None if unknown. One that
    is asked `plainly` is made for the action and for nothing else, and learnt from sentences."""

    service: ChatService
    model: str
    context: int | None
    plainly: bool = False

    def part_bytes(self, action: Action) -> int:
        """How much of a text goes to it at once: a token has 3 bytes or more, and an answer as long
        as its part has room; a summary needs less."""
        if self.plainly and action.way == "parts":
            return _LEAST_BYTES
        if self.context is None:
            return action.part_bytes
        room = self.context if action.way == "parts" else 2 * self.context
        return min(action.part_bytes, max(room, _LEAST_BYTES))


def act(reader: Reader, chosen: Chosen, text: str) -> AsyncGenerator[Piece]:
    """An action's answer about `text`, as it grows. Its facts have `action`: name, fields, `parts`
    that the model was given, `notes` on what did not survive.

    Raises:
        ServiceError: the service can't be reached, refuses, or even a short part is too long for
            the model.
    """
    return _Acting(reader, chosen, answer_language(chosen, text)).all(text)


@dataclass
class _Acting:
    reader: Reader
    chosen: Chosen
    wanted: str | None  # the answer's language
    part_bytes: int = field(init=False)
    told: dict[str, Any] = field(default_factory=dict)  # by the service, of all that it was asked
    parts: int = 0
    cut_short: int = 0  # answers that ended for want of room
    ran_on: int = 0
    spaces: int = 0  # that were put right

    def __post_init__(self) -> None:
        self.part_bytes = self.reader.part_bytes(self.chosen.action)

    async def all(self, text: str) -> AsyncGenerator[Piece]:
        """The answer, and what is to be said of it."""
        yield Piece(facts={"action": self.chosen.facts})
        said = []
        ways = {"parts": self._by_parts, "digest": self._digest, "whole": self._whole}
        async with contextlib.aclosing(ways[self.chosen.action.way](text)) as answer:
            async for piece in answer:
                said.append(piece.text)
                yield replace(piece, facts=dict(self.told))
        facts = {"parts": self.parts, "notes": self._notes(text, "".join(said))}
        yield Piece(facts={"action": self.chosen.facts | facts})

    async def _by_parts(self, text: str) -> AsyncGenerator[Piece]:
        """Each part's answer in its place; what is kept, as it is."""
        in_parts = sentences if self.reader.plainly else cut
        waiting = deque(in_parts(text, self.part_bytes))
        while waiting:
            part = waiting.popleft()
            if part.kept:
                yield Piece(part.text)
                continue
            parts = self.parts + 1 + sum(not one.kept for one in waiting)
            yield Piece(part.before, progress={"part": self.parts + 1, "parts": parts})
            try:
                async with contextlib.aclosing(self._clean(self.chosen, part.text)) as answer:
                    async for piece in answer:
                        yield Piece(piece)
            except ServiceError as error:
                waiting.extendleft(reversed(self._smaller(part, error)))
            else:
                self.parts += 1
                yield Piece(part.after)

    async def _digest(self, text: str) -> AsyncGenerator[Piece]:
        """The summary; of a long text, of the summaries of its parts."""
        of_parts = False
        while True:
            texts = pieces(text, self.part_bytes)
            try:
                if len(texts) < 2:
                    last = self._clean(self.chosen, text, of_parts=of_parts)
                    async with contextlib.aclosing(last) as answer:
                        async for piece in answer:
                            yield Piece(piece)
                    self.parts = max(self.parts, 1)
                    return
                summaries = []
                for number, one in enumerate(texts, 1):
                    yield Piece(progress={"part": number, "parts": len(texts)})
                    summaries.append(await self._summary(one, of_parts))
            except ServiceError as error:
                self._shrink(self.part_bytes, error)
                continue
            self.parts = self.parts or len(texts)
            text, of_parts = "\n\n".join(summaries), True

    async def _whole(self, text: str) -> AsyncGenerator[Piece]:
        self.parts = 1
        turns = self._turns(self.chosen, text)
        async with contextlib.aclosing(self._ask(turns, {}, Endless(text))) as answer:
            async for piece in answer:
                yield Piece(piece)

    async def _summary(self, text: str, of_parts: bool) -> str:
        points = replace(self.chosen, fields={**self.chosen.fields, "length": "bullets"})
        most = self.part_bytes // _SHORTER
        answer = [one async for one in self._clean(points, text, of_parts=of_parts)]
        return "".join(answer).encode()[:most].decode(errors="ignore")

    async def _clean(
        self, chosen: Chosen, text: str, *, of_parts: bool = False
    ) -> AsyncGenerator[str]:
        """The model's answer without words about it, in the language's typography."""
        bare, french = Bare(text), French()
        right = french.add if self.wanted == "fr" else str
        turns = self._turns(chosen, text, of_parts=of_parts)
        endless = Endless(text, _TIMES * len(text) + _MORE)
        async with contextlib.aclosing(self._ask(turns, _CLOSE, endless)) as answer:
            async for piece in answer:
                yield right(bare.add(piece))
                if bare.ended:
                    break
        yield right(bare.rest()) + french.rest()
        self.spaces += french.changes

    def _turns(self, chosen: Chosen, text: str, *, of_parts: bool = False) -> list[Message]:
        if self.reader.plainly:
            return plain_turns(chosen, text, self.wanted)
        return [Message("user", prompt(chosen, text, self.wanted, of_parts=of_parts))]

    async def _ask(
        self, turns: Sequence[Message], options: Mapping[str, float], endless: Endless
    ) -> AsyncGenerator[str]:
        for tried in (options, {}):
            stream = self.reader.service.stream_chat(turns, self.reader.model, **tried)
            try:
                async with contextlib.aclosing(stream) as deltas:
                    async for delta in deltas:
                        self._count(noted(delta))
                        if delta.text:
                            yield delta.text
                        if endless.add(delta.text):
                            self.ran_on += 1
                            return
            except ServiceError as error:
                if not tried or error.code not in _NO_OPTION:
                    raise
            else:
                return

    def _count(self, facts: Mapping[str, Any]) -> None:
        self.cut_short += facts.get("ended") == "length"
        for name, value in facts.items():
            before = self.told.get(name, 0) if name.endswith("_tokens") else None
            self.told[name] = value if before is None else before + value

    def _smaller(self, part: Part, error: ServiceError) -> list[Part]:
        """The part in parts, where it was too long for the model."""
        self._shrink(len(part.text.encode()), error)
        *others, last = cut(part.text, self.part_bytes)
        return [*others, replace(last, after=last.after + part.after)]

    def _shrink(self, size: int, error: ServiceError) -> None:
        if error.code != "context_length_exceeded" or size <= _LEAST_BYTES:
            raise error
        self.part_bytes = min(self.part_bytes, max(size // 2, _LEAST_BYTES))

    def _notes(self, text: str, answer: str) -> list[checks.Note]:
        told = instruction(self.chosen, self.wanted)
        counts = {"cut_short": self.cut_short, "ran_on": self.ran_on, "typography": self.spaces}
        return [
            *checks.said(answer, told, self.wanted),
            *checks.of_kind(self.chosen, text, answer),
            *({"code": code, "count": count} for code, count in counts.items() if count),
        ]
