"""Which tokens of a corpus of lessons are learnt: of answers and their ends, and of texts among the
lessons. Pure."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

NO_TARGET = -100  # what torch's cross_entropy leaves out

TokenId = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Answers:
    """The tokens that stand in front of every answer, and the one that ends it: by them what is
    learnt is told from the tokens alone. A row ends what began in it. Where there are texts too,
    each of `questions` begins a question, and what is in none is learnt."""

    begin: Annotated[tuple[TokenId, ...], Field(min_length=1, max_length=64)]
    end: TokenId
    questions: Annotated[tuple[TokenId, ...], Field(min_length=1, max_length=64)] | None = None

    def learnt(self, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether each of these tokens, in their order, is of an answer or ends one, or is of a
        text."""
        count = len(tokens)
        begins = np.zeros(count, bool)
        last = count - len(self.begin) + 1  # one more than where the last can start
        if last > 0:
            found = np.ones(last, bool)
            for offset, token in enumerate(self.begin):
                found &= tokens[offset : offset + last] == token
            begins[len(self.begin) - 1 :] = found
        if self.questions:
            return _latest(begins) >= _latest(np.isin(tokens, self.questions))
        return _latest(begins) > _latest(tokens == self.end)

    def learnt_last(self, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether each of these tokens, of a conversation up to its end, is of the last answer."""
        return np.logical_and.accumulate(self.learnt(tokens)[::-1])[::-1].copy()

    def targets(self, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The tokens, with NO_TARGET in the place of those that are not learnt."""
        return np.where(self.learnt(tokens), tokens, NO_TARGET)


def _latest(marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """For each place, the last marked place before it; -1 where there is none."""
    places = np.where(marks, np.arange(len(marks)), -1)
    return np.concatenate([[-1], np.maximum.accumulate(places)[:-1]]) if len(marks) else places
