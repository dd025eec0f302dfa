"""A question put to a model, with the turns before it as far as they fit."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from archipel.assistant.endless import Endless
from archipel.assistant.pieces import Piece, noted
from archipel.chat import ChatService, Message, ServiceError

_NOT_REFUSED = ("unreachable", "cut_off", "context_length_exceeded", "invalid_api_key")


@dataclass(frozen=True)
class Question:
    """What is asked of a model: all turns, the last one the person's; `memories` are the ids of
    those that the turns speak of."""

    model: str
    turns: Sequence[Message]
    memories: Sequence[int] = ()


async def asked(service: ChatService, question: Question) -> AsyncGenerator[Piece]:
    """The model's answer as it grows. Turns that do not fit its context are left out, the oldest
    first; the facts have how many (`left_out`). One that goes round in circles is ended (`ended`:
    `circles`).

    Raises:
        ServiceError: the service can't be reached, refuses, or ends before the answer does.
    """
    turns, left_out = list(question.turns), 0
    if question.memories:
        yield Piece(facts={"memory": list(question.memories)})
    while True:
        try:
            async with contextlib.aclosing(_answer(service, turns, question.model)) as pieces:
                async for piece in pieces:
                    yield piece
        except ServiceError as error:
            if error.code not in _NOT_REFUSED and any(_shows(turn) for turn in turns):
                raise ServiceError(str(error), "pictures_refused") from error
            fewer = without_oldest(turns)
            if error.code != "context_length_exceeded" or fewer is None:
                raise
            left_out += len(turns) - len(fewer)
            yield Piece(facts={"left_out": left_out})
            turns = fewer
        else:
            return


async def _answer(
    service: ChatService, turns: Sequence[Message], model: str
) -> AsyncGenerator[Piece]:
    endless = Endless(_text(turns[-1]))
    async with contextlib.aclosing(service.stream_chat(turns, model)) as deltas:
        async for delta in deltas:
            yield Piece(delta.text, noted(delta))
            if endless.add(delta.text):
                yield Piece(facts={"ended": "circles"})
                return


def without_oldest(turns: Sequence[Message]) -> list[Message] | None:
    """The turns without the oldest quarter, at least one and never the instructions or the last
    question; None if there is nothing to leave out. Pure."""
    instructions = [turn for turn in turns if turn.role == "system"]
    others = [turn for turn in turns if turn.role != "system"]
    if len(others) < 2:
        return None
    out = max(1, len(others) // 4)
    while out < len(others) - 1 and others[out].role != "user":
        out += 1
    return [*instructions, *others[out:]]


def _shows(turn: Message) -> bool:
    """Whether a turn has pictures."""
    return not isinstance(turn.content, str)


def _text(turn: Message) -> str:
    """What a turn says, without its pictures."""
    if isinstance(turn.content, str):
        return turn.content
    return "".join(part.get("text", "") for part in turn.content)
