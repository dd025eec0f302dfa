"""What is said of pictures, as rows of tokens: captions, or questions with their answers. Knows
nothing about pixels or files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archipel.corpus.answers import Answers
from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures.reading import Picture
from archipel.corpus.roles import ROLES, TURN_END, role_tokenizer
from archipel.corpus.tokenizer import (
    Encode,
    encoder,
    end_of_text_id,
    load_tokenizer,
    train_tokenizer,
    vocabulary_size,
)
from archipel.errors import ConfigError
from archipel.files import write_atomic


class Worded(NamedTuple):
    """A row's tokens, uint16 [rows, width], and the number of its picture, int64 [rows]."""

    tokens: npt.NDArray[np.uint16]
    picture: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Wording:
    """A tokenizer and how rows are filled: with the `padding`, behind what is said. With `answers`
    they are questions: <|user|> question <|assistant|> answer <|im_end|>."""

    encode: Encode
    vocab_size: int
    padding: int
    width: int
    before: tuple[int, ...] = ()  # a question
    answers: Answers | None = None

    def rows(self, pictures: Sequence[Picture], left_out: LeftOut) -> Worded:
        """All that is said of the pictures. Captions are cut; a question that is too long with its
        answer is left out, for what is cut would never end.

        Raises:
            ConfigError: all questions are too long.
        """
        if self.answers is None:
            said = [text for picture in pictures for text in picture.captions]
            counts = [len(picture.captions) for picture in pictures]
            rows = [ids[: self.width] for ids in self._ids(said)]
            return self._filled(rows, np.repeat(np.arange(len(pictures)), counts))
        asked = [(n, one) for n, picture in enumerate(pictures) for one in picture.asked]
        questions = self._ids([one.question for _, one in asked])
        answers = self._ids([one.answer for _, one in asked])
        kept, numbers = [], []
        for (number, one), question, answer in zip(asked, questions, answers, strict=True):
            row = [*self.before, *question, *self.answers.begin, *answer, self.answers.end]
            if len(row) > self.width:
                left_out.note(f"questions of over {self.width} tokens with their answer", str(one))
            else:
                kept.append(row)
                numbers.append(number)
        if asked and not kept:
            raise ConfigError(
                f"all {len(asked):,} questions have over {self.width} tokens with their answers: "
                "raise --caption-tokens"
            )
        return self._filled(kept, np.asarray(numbers, np.int64))

    def _ids(self, texts: list[str]) -> Iterator[list[int]]:
        ids, ends = self.encode(texts)
        start = 0
        for end in ends.tolist():
            yield ids[start:end].tolist()
            start = end

    def _filled(self, rows: Sequence[Sequence[int]], picture: npt.NDArray[np.int64]) -> Worded:
        found = np.full((len(rows), self.width), self.padding, np.uint16)
        for filled, row in zip(found, rows, strict=True):
            filled[: len(row)] = np.asarray(row, np.uint16)
        return Worded(found, picture)


def new_wording(
    pictures: Sequence[Picture], folder: Path, *, asks: bool, vocab_size: int, width: int
) -> Wording:
    """Train the tokenizer, whose files are written to `folder`, on what is said of the pictures to
    train on, questions and answers if it `asks`, else captions."""
    # A list: `tokenizers` would read from a thread of its own, deaf to Ctrl-C.
    if asks:
        said = [text for picture in pictures for one in picture.asked for text in one]
        files = role_tokenizer(said, vocab_size, pictures=True)
    else:
        said = [text for picture in pictures for text in picture.captions]
        files = train_tokenizer(said, vocab_size)
    for name, data in files.items():
        write_atomic(folder / name, data)
    opened = load_tokenizer(folder)
    encode, size = encoder(folder, said[:64]), vocabulary_size(opened)
    padding = end_of_text_id(folder, opened)
    if not asks:
        return Wording(encode, size, padding, width)
    vocabulary = opened.get_vocab(with_added_tokens=True)
    _, user, assistant = (vocabulary[role] for role in ROLES)
    answers = Answers(begin=(assistant,), end=vocabulary[TURN_END])
    return Wording(encode, size, padding, width, (user,), answers)
