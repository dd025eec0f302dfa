"""A gap in a text, filled by a model that runs here: the prompt with the model's own marks, and an
answer without what already stands behind the gap. Pure.
"""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from archipel.errors import IntegrityError
from archipel.models.gaps import Marks
from archipel.serve.events import event_data
from archipel.serve.question import Gap, Question
from archipel.serve.translation import NOT_ITS, Unmappable

_LOOKED_AT = 400  # characters behind the gap in which a repetition may be
_CLOSERS = re.compile(r"[)\]}]+")
_WORD_CHARACTERS = 3  # from which on the same rest of a line is no coincidence


def marked(question: Question, marks: Marks | None) -> Question:
    """A question with a `suffix` as one that the engine understands; others stay.

    Raises:
        Unmappable: the model has not learnt it, or the prompt is not one text.
    """
    fields = dict(question.fields)
    behind = fields.pop("suffix", None)
    if question.endpoint != "/completions" or behind is None:
        return question
    if not isinstance(behind, str):
        raise Unmappable("suffix", "it must be a text")
    if marks is None:
        if not behind:
            return Question(question.endpoint, fields, None)
        message = "this model has not learnt to fill gaps. Ask one whose abilities have `fill`"
        raise Unmappable("suffix", message)
    match fields["prompt"]:
        case str(text) | [str(text)]:
            begun = question.begun if isinstance(question, Gap) else ""
            before = text[: len(text) - len(begun)]
            prompt = marks.prompt(before, behind) + begun
            return Question(question.endpoint, {**fields, "prompt": prompt}, None)
    raise Unmappable("prompt", "beside a suffix it must be one text")


@dataclass
class Untangled:
    """A text that comes in pieces, without what it repeats of `behind` at its end: models write on
    past the gap. What may be such a repetition is held back until it is not."""

    behind: str
    _text: str = ""
    _given: int = 0  # characters of it

    def take(self, piece: str) -> str:
        """The next piece; what may be given on by now."""
        self._text += piece
        return self._give(len(self._text) - shared(self._text, self.behind))

    def rest(self) -> str:
        """What is left when the text has ended."""
        return self._give(len(self._text) - repeated(self._text, self.behind))

    def _give(self, until: int) -> str:
        given, self._given = self._given, max(self._given, until)
        return self._text[given : self._given]


def shared(text: str, behind: str) -> int:
    """How many of the first characters of `behind` the text ends with, at most."""
    most = min(len(text), len(behind), _LOOKED_AT)
    return next((count for count in range(most, 0, -1) if text.endswith(behind[:count])), 0)


def repeated(text: str, behind: str) -> int:
    """How many characters at the text's end only repeat what stands behind it: whole lines, the
    rest of the line that has the gap, or brackets that nothing in the text opened."""
    count = shared(text, behind)
    same = behind[:count]
    ends_a_line = same.endswith("\n") or behind[count : count + 1] in ("", "\n")
    rest_of_line, *lines = same.split("\n")
    if ends_a_line and any(line.strip() for line in lines):
        return count
    if ends_a_line and len(re.findall(r"\w", rest_of_line)) >= _WORD_CHARACTERS:
        return count
    closers = _CLOSERS.match(same)
    unopened = sum(text.count(one) for one in ")]}") - sum(text.count(one) for one in "([{")
    most = min(len(closers[0]) if closers else 0, max(0, unopened))
    return next((few for few in range(most, 0, -1) if text.endswith(behind[:few])), 0)


@dataclass(frozen=True)
class FilledGap:
    """How a completion of OpenAI's shape is told without the repetition; a `Dialect`."""

    behind: str
    _choices: dict[int, Untangled] = field(default_factory=dict)

    def whole(self, body: bytes) -> bytes:
        """As `Dialect.whole`."""
        try:
            answer = json.loads(body)
            for choice in answer["choices"]:
                self._shorten(choice, ends=True)
        except NOT_ITS as error:
            raise IntegrityError("its answer is not OpenAI's") from error
        return json.dumps(answer).encode()

    async def pieces(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """As `Dialect.pieces`."""
        async for data in event_data(pieces):
            if data != b"[DONE]":
                try:
                    data = self._event(data)
                except NOT_ITS as error:
                    raise IntegrityError("its stream is not OpenAI's") from error
            yield b"data: " + data + b"\n\n"

    def _event(self, data: bytes) -> bytes:
        event = json.loads(data)
        for choice in event.get("choices") or ():
            self._shorten(choice, ends=bool(choice.get("finish_reason")))
        return json.dumps(event).encode()

    def _shorten(self, choice: dict[str, Any], *, ends: bool) -> None:
        number = choice.get("index", 0)
        text = self._choices.setdefault(number, Untangled(self.behind))
        choice["text"] = text.take(choice.get("text") or "") + (text.rest() if ends else "")
