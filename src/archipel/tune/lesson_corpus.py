"""A corpus of lessons: what `archipel finetune` learns on one machine, for the sites of a run.

Whole conversations fill rows of as many tokens as the model reads at once; what is learnt of them
is told from the tokens (`corpus.answers`), so that sites claim, train and account for rows as for
any text. A conversation sees those before it in its row, as documents of a text do.

Texts may stand among them, which are learnt whole: from them a model from scratch knows what is
usual, before it is asked what is not.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from archipel.corpus import Manifest, Split
from archipel.corpus.answers import Answers
from archipel.corpus.left_out import LeftOut
from archipel.corpus.manifest import TOKENIZER
from archipel.corpus.middles import Document, rearranged
from archipel.corpus.roles import ROLES, TURN_END, role_tokenizer
from archipel.errors import ConfigError
from archipel.files import write_atomic
from archipel.models.folders import complete_folder
from archipel.tune.corpus_parts import Origin, answers_in, encoded, said, write_corpus
from archipel.tune.encoding import Example, Item
from archipel.tune.lessons import Material, read_material
from archipel.tune.start import start_tokenizer
from archipel.tune.templates import open_tokenizer, prepare_tokenizer

_OPEN_ROWS = 32  # among which a conversation is put where it fits
_PARTS_TOGETHER = 32  # of a text, which may be a book


@dataclass(frozen=True, kw_only=True)
class LessonOptions:
    """How lessons become rows: `row_tokens` is the model's context; `held_out` the share that is
    only measured on, where no files are given for that; `fill_in` the share of the texts that is
    rearranged for filling in the middle."""

    vocab_size: int = 4096
    row_tokens: int = 256
    held_out: float = 0.01
    seed: int = 0
    fill_in: float = 0.0


def build_lesson_corpus(
    material: Material,
    out: Path,
    options: LessonOptions,
    left_out: LeftOut,
    texts: Sequence[str] = (),
    start: Path | None = None,
) -> Manifest:
    """Build the corpus of `material`, with `texts` among it, in the folder `out`, which appears
    when it is complete: with the tokenizer and the chat template of the model at `start`, which is
    to learn further, or else with a tokenizer trained on what is said. What was left out, and why,
    is noted in `left_out`.

    Raises:
        ConfigError: the data or an option can't be used, `out` exists, or the chat template does
            not show by its tokens where an answer begins and ends.
        ModelError: `start` has no tokenizer that can be read.
    """
    if out.exists():
        raise ConfigError(f"{out} exists already: give another place, or remove it first")
    lessons, measured = read_material(material, left_out)
    with complete_folder(out) as folder:
        contents = [*said([*lessons, *measured]), *texts]
        tokenizer = _tokenizer(folder / TOKENIZER, start, contents, options.vocab_size)
        items, held_out = encoded(
            lessons,
            measured,
            tokenizer,
            most_tokens=options.row_tokens,
            held_out=options.held_out,
            left_out=left_out,
        )
        answers = answers_in(tokenizer, [*items, *held_out], Answers.learnt)
        if texts:
            questions = tuple(tokenizer.get_vocab()[role] for role in ROLES[:-1])
            answers = replace(answers, questions=questions)
        items += _text_items(texts, tokenizer, options, left_out)
        parts: dict[Split, list[Item]] = {"train": items, "held_out": held_out}
        rows = {
            split: fill_rows(some, options.row_tokens, answers.end, options.seed)
            for split, some in parts.items()
        }
        origin = Origin(
            items=len(items) + len(held_out),
            contents=contents,
            left_out=left_out,
            seed=options.seed,
        )
        return write_corpus(folder, tokenizer, rows, answers, origin)


def fill_rows(
    items: Sequence[Item], row_tokens: int, padding: int, seed: int
) -> npt.NDArray[np.int64]:
    """The conversations in an order of the seed's, whole, in rows [rows, row_tokens]: each where it
    fits among the rows that are open, which are closed by their age."""
    order = random.Random(seed).sample(range(len(items)), len(items))
    rows: list[list[npt.NDArray[np.int32]]] = []
    room: list[int] = []
    for number in order:
        for example in items[number].examples:
            size = len(example.ids)
            first = max(0, len(rows) - _OPEN_ROWS)
            at = next((n for n in range(first, len(rows)) if room[n] >= size), len(rows))
            if at == len(rows):
                rows.append([])
                room.append(row_tokens)
            rows[at].append(example.ids)
            room[at] -= size
    filled = np.full((len(rows), row_tokens), padding, np.int64)
    for row, parts in zip(filled, rows, strict=True):
        whole = np.concatenate(parts)
        row[: len(whole)] = whole
    return filled


def _text_items(
    texts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    options: LessonOptions,
    left_out: LeftOut,
) -> list[Item]:
    """The texts, those without a gap cut into rows where they are longer."""
    dice = random.Random(options.seed)
    documents = [one for text in texts for one in rearranged(text, options.fill_in, dice)]
    parts = [part.text for document in documents for part in document]
    ids = _ids(parts, tokenizer)
    items = []
    for number, document in enumerate(documents):
        tokens = _tokens(document, ids, tokenizer)
        if len(document) > 1 and len(tokens) > options.row_tokens:
            left_out.note(f"over {options.row_tokens:,} tokens", f"piece {number} of the texts")
            continue
        for start in range(0, len(tokens), options.row_tokens):
            row = tokens[start : start + options.row_tokens]
            items.append(Item("", (Example(row, np.ones(len(row), bool)),)))
    return items


def _ids(parts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[Sequence[int]]:
    """Those of each part; few parts at a time, for `tokenizers` keeps some 150 bytes a token."""
    for start in range(0, len(parts), _PARTS_TOGETHER):
        some = list(parts[start : start + _PARTS_TOGETHER])
        yield from tokenizer(some, add_special_tokens=False)["input_ids"]


def _tokens(
    document: Document, ids: Iterator[Sequence[int]], tokenizer: PreTrainedTokenizerBase
) -> npt.NDArray[np.int32]:
    vocabulary = tokenizer.get_vocab()
    found: list[int] = []
    for part in document:
        found += [vocabulary[part.mark]] if part.mark else []
        found += next(ids)
    return np.asarray([*found, vocabulary[TURN_END]], np.int32)


def _tokenizer(
    folder: Path, start: Path | None, contents: Sequence[str], vocab_size: int
) -> PreTrainedTokenizerBase:
    """That of the model at `start`, or one trained on what is said; its files are in `folder`."""
    if start:
        prepare_tokenizer(*start_tokenizer(start), folder, use_default=False)
    else:
        for name, data in role_tokenizer(contents, vocab_size).items():
            write_atomic(folder / name, data)
    return open_tokenizer(folder)
