"""A question put to a model together with passages of the person's documents."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from archipel.assistant.asking import Question, asked
from archipel.assistant.desk import Desk
from archipel.assistant.library import documents
from archipel.assistant.library.citing import Sources, checked, of_known
from archipel.assistant.library.shelf import Shelf
from archipel.assistant.people import Person
from archipel.assistant.pieces import Ending, Piece
from archipel.chat import ChatService, Message, ServiceError
from archipel.documents.language import guess_language
from archipel.documents.prompt import INSTRUCTIONS, NOT_IN_DOCUMENTS, Context, context
from archipel.errors import NotFound

_USUAL, _MOST, _LEAST = 8_000, 24_000, 1_500  # characters of passages
_TOKEN_CHARACTERS = 3
_QUESTION = {"en": "Question:", "fr": "Question :"}


@dataclass(frozen=True)
class Looked:
    """What is looked for: the question's own text, by whom, in which collections."""

    person: Person
    collections: Sequence[int]
    text: str


@dataclass(frozen=True)
class Consulting:
    """Documents and a service to ask about them; `room` is the model's context in tokens, None if
    unknown."""

    desk: Desk
    shelf: Shelf
    service: ChatService
    room: int | None

    async def answer(self, question: Question, looked: Looked) -> AsyncGenerator[Piece]:
        """The model's answer as it grows; what is kept is checked (see `citing.checked`). Without
        a passage no model is asked: it is not in the documents.

        Raises:
            ServiceError: the service can't be reached, refuses, or ends before the answer does.
            NotFound: none of the collections that are theirs to ask has a document that is read.
            DatabaseError: what is there can't be read.
        """
        language = "fr" if guess_language(looked.text) == "fr" else "en"
        found = await self._found(looked)
        budget = room_for_passages(self.room, question.turns)
        while True:
            given = context(found.passages, budget)
            sources = replace(found, passages=given.passages)
            yield Piece(facts={"passages": len(given.passages)}, ending=_ending(sources))
            if not given.passages:
                yield Piece(NOT_IN_DOCUMENTS[language])
                return
            turns = with_passages(question.turns, given, language)
            try:
                async with contextlib.aclosing(
                    asked(self.service, replace(question, turns=turns))
                ) as pieces:
                    async for piece in pieces:
                        yield piece
            except ServiceError as error:
                if error.code != "context_length_exceeded" or len(given.passages) < 2:
                    raise
                budget = len(given.text) // 2
            else:
                return

    async def _found(self, looked: Looked) -> Sources:
        """The passages that fit, and the sentences that do."""
        person, wanted = looked.person, looked.collections
        known = await self.desk.reading(lambda c: documents.ready(c, person, wanted))
        if not known:
            raise NotFound(
                "There is no document to ask in these collections. Add one, or choose others."
            )
        passages = of_known(await self.shelf.search(known.values(), looked.text), known)
        nearest = await asyncio.to_thread(self.shelf.nearest, looked.text, passages)
        return Sources(passages, known, nearest)


def room_for_passages(room: int | None, turns: Sequence[Message]) -> int:
    """How many characters of passages go with the turns into a context of so many tokens, a quarter
    of which is the answer's. Pure."""
    if room is None:
        return _USUAL
    said = sum(len(turn.content) for turn in turns if isinstance(turn.content, str))
    return min(_MOST, max(_LEAST, room * _TOKEN_CHARACTERS * 3 // 4 - said))


def with_passages(turns: Sequence[Message], given: Context, language: str) -> list[Message]:
    """The turns, the last of which begins with the passages and how to answer from them: what is
    before stays as it was, so that engines read it once. Pure."""
    *before, last = turns
    head = f"{INSTRUCTIONS[language]}\n\n{given.text}\n\n{_QUESTION[language]} "
    if isinstance(last.content, str):
        return [*before, Message(last.role, head + last.content)]
    text, *others = last.content
    return [*before, Message(last.role, [{**text, "text": head + text["text"]}, *others])]


def _ending(sources: Sources) -> Ending:
    return lambda text: checked(text, sources)
