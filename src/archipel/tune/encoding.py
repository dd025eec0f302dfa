"""Lessons in tokens: what is read, and which of it is learnt. Knows nothing about models."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from archipel.corpus.left_out import LeftOut
from archipel.errors import ConfigError
from archipel.tune.lessons import Conversation, Lesson, Unusable

_AT_ONCE = 1024  # lessons that are tokenised together


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A conversation as a model reads it: ids, and by token whether it is to be foretold."""

    ids: npt.NDArray[np.int32]
    learnt: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One lesson's examples: one, or the chosen and the rejected."""

    key: str
    examples: tuple[Example, ...]

    @property
    def tokens(self) -> int:
        """In all of them."""
        return sum(len(one.ids) for one in self.examples)


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    learnt: bool


def encode(
    lessons: Sequence[Lesson],
    tokenizer: PreTrainedTokenizerBase,
    left_out: LeftOut,
    *,
    most_tokens: int,
) -> list[Item]:
    """The lessons by the tokenizer's chat template. All answers are learnt; of two conversations,
    the last ones. What has more than `most_tokens` is left out: cut, it would teach something else.

    Raises:
        ConfigError: the template refuses a conversation, writes what was said again in other words,
            or ends no answer.
    """
    marks = [one.content for one in tokenizer.added_tokens_decoder.values() if one.special]
    found: list[Item] = []
    for start in range(0, len(lessons), _AT_ONCE):
        some = lessons[start : start + _AT_ONCE]
        usable = list(_pieces_of_all(some, tokenizer, marks, left_out))
        texts = [one.text for _, sides in usable for one in chain.from_iterable(sides)]
        ids = iter(tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else ())
        for lesson, sides in usable:
            item = Item(lesson.key, tuple(_example(side, ids) for side in sides))
            if max(len(one.ids) for one in item.examples) > most_tokens:
                left_out.note(f"over {most_tokens:,} tokens", lesson.place)
            else:
                found.append(item)
    return found


def _pieces_of_all(
    lessons: Iterable[Lesson],
    tokenizer: PreTrainedTokenizerBase,
    marks: Sequence[str],
    left_out: LeftOut,
) -> Iterator[tuple[Lesson, list[list[_Piece]]]]:
    for lesson in lessons:
        try:
            only_last = len(lesson.conversations) > 1
            yield (
                lesson,
                [
                    _pieces(one, tokenizer, marks, only_last=only_last, place=lesson.place)
                    for one in lesson.conversations
                ],
            )
        except Unusable as reason:
            left_out.note(str(reason), lesson.place)


def _pieces(
    messages: Conversation,
    tokenizer: PreTrainedTokenizerBase,
    marks: Sequence[str],
    *,
    only_last: bool,
    place: str,
) -> list[_Piece]:
    """The conversation's text, cut where an answer begins and behind the token that ends it."""
    if any(mark in one["content"] for one in messages for mark in marks):
        raise Unusable("that spell out one of the tokenizer's special tokens")
    pieces: list[_Piece] = []
    written = ""
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        asked = _render(tokenizer, messages[:number], place, asks=True)
        said = _render(tokenizer, messages[: number + 1], place, asks=False)
        if not (asked.startswith(written) and said.startswith(asked)):
            raise ConfigError(
                f"{place}: the tokenizer's chat template writes what was said before differently "
                "once more is said, so that it can't be told what is the answer. Give "
                "conversations of one answer each, or --default-template"
            )
        answer, end = _to_its_end(said[len(asked) :], marks, place)
        pieces.append(_Piece(asked[len(written) :], learnt=False))
        pieces.append(_Piece(answer, learnt=not only_last or number == len(messages) - 1))
        written = said[: len(said) - len(end)]
    return pieces


def _render(
    tokenizer: PreTrainedTokenizerBase, messages: Conversation, place: str, *, asks: bool
) -> str:
    try:
        return str(
            tokenizer.apply_chat_template(
                [dict(one) for one in messages], tokenize=False, add_generation_prompt=asks
            )
        )
    except (TemplateError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{place}: the tokenizer's chat template refuses the conversation ({error}). Change "
            "it, or give --default-template"
        ) from error


def _to_its_end(answer: str, marks: Sequence[str], place: str) -> tuple[str, str]:
    """The answer with the special token that ends it, and what the template puts behind."""
    end = max((answer.rfind(mark) + len(mark) for mark in marks if mark in answer), default=0)
    if not end:
        raise ConfigError(
            f"{place}: the tokenizer's chat template ends an answer with none of its special "
            "tokens, so that a model could not learn to stop. Give --default-template"
        )
    return answer[:end], answer[end:]


def _example(pieces: Sequence[_Piece], ids: Iterator[Sequence[int]]) -> Example:
    parts = [np.asarray(next(ids), np.int32) for _ in pieces]
    learnt = [np.full(len(part), piece.learnt) for part, piece in zip(parts, pieces, strict=True)]
    return Example(np.concatenate(parts), np.concatenate(learnt))
