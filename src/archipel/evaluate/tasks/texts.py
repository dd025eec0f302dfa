"""Bits per byte of texts: how well a model predicts them, whatever its tokens are."""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from archipel.corpus import TokenReader, read_manifest
from archipel.corpus.documents import find_files, read_documents
from archipel.corpus.manifest import MANIFEST, TOKENIZER
from archipel.errors import ConfigError
from archipel.evaluate.asking import Read, Span
from archipel.evaluate.data import Data
from archipel.evaluate.figures import Measure, Rows
from archipel.evaluate.tasks.task import Question, Task, nats_of

_PIECE_CHARACTERS = 32_768  # a longer document is read in pieces, so that little is lost on a stop


def bits_per_byte(path: str | None) -> Task:
    """Of a text file, a folder of them, or the held-out part of a corpus.

    Raises:
        ConfigError: no path is given.
    """
    if path is None:
        raise ConfigError(
            "bits_per_byte needs a text: write bits_per_byte:PATH, where PATH is a text file, a "
            "folder of them, or a corpus"
        )
    return Task("bits_per_byte", partial(_questions, path), _measures)


def _questions(given: str, data: Data) -> list[Question]:
    path = data.given(given)
    is_corpus = (path / MANIFEST).is_file()
    documents = _held_out(path) if is_corpus else _documents(path, data.field)
    questions = [
        Question(f"{name}/{number}", (Span("", piece),))
        for name, text in documents
        for number, piece in enumerate(_pieces(text))
    ]
    if not questions:
        raise ConfigError(f"{path} has no text to measure bits per byte on. Give another.")
    return questions


def _documents(path: Path, field: str) -> Iterator[tuple[str, str]]:
    for file in find_files([path]):
        for number, document in enumerate(read_documents(file, field)):
            if document.text is not None:
                yield f"{file.name}/{number}", document.text


def _held_out(folder: Path) -> Iterator[tuple[str, str]]:
    """The documents that the corpus keeps for measuring, out of its tokens."""
    manifest = read_manifest(folder)
    if manifest.pictures or manifest.preferences:
        raise ConfigError(
            f"{folder} holds numbers among its tokens, of pictures or of preferences, and can't be "
            "read as a text: give a corpus of texts or of lessons, or files"
        )
    reader = TokenReader(folder, manifest, "held_out")
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER / "tokenizer.json"))
    tokens = reader.read(0, reader.tokens)
    ends = np.flatnonzero(tokens == manifest.end_of_text_id)
    for number, ids in enumerate(np.split(tokens, ends + 1)):
        kept = [int(one) for one in ids if one != manifest.end_of_text_id]
        yield f"held_out/{number}", tokenizer.decode(kept)


def _pieces(text: str) -> Iterator[str]:
    """`text`, cut after the last line or word that still fits."""
    while text.strip():
        piece = text[:_PIECE_CHARACTERS]
        if len(piece) < len(text):
            end = max(piece.rfind("\n"), 0) or max(piece.rfind(" "), 0) or len(piece) - 1
            piece = piece[: end + 1]
        yield piece
        text = text[len(piece) :]


def _measures(questions: Sequence[Question], answers: Sequence[Sequence[Read]]) -> list[Measure]:
    rows = [
        [nats_of(answer)[0], len(span.continuation.encode())]
        for question, answer in zip(questions, answers, strict=True)
        if isinstance(question.asked, tuple)
        for span in question.asked
    ]
    bits = Measure("bits_per_byte", np.array(rows, np.float64), _bits, higher_is_better=False)
    return [bits]


def _bits(sums: Rows) -> float:
    return float(-sums[0] / math.log(2) / sums[1])
