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
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from archipel.corpus.answers import Answers
from archipel.corpus.left_out import LeftOut
from archipel.corpus.manifest import FORMAT, MANIFEST, TOKENIZER, Manifest, Shard, Split
from archipel.corpus.middles import Document, rearranged
from archipel.corpus.roles import ROLES, TURN_END, role_tokenizer
from archipel.errors import ConfigError
from archipel.files import sha256_bytes, write_atomic
from archipel.models.folders import complete_folder
from archipel.tune.batches import split_items
from archipel.tune.encoding import Example, Item, encode
from archipel.tune.lessons import Lesson, Material, read_material
from archipel.tune.start import start_tokenizer
from archipel.tune.templates import open_tokenizer, prepare_tokenizer

_SHARD_ROWS = 1 << 14
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
        said = [*_said([*lessons, *measured]), *texts]
        tokenizer = _tokenizer(folder / TOKENIZER, start, said, options.vocab_size)
        items, held_out = _encoded(lessons, measured, tokenizer, options, left_out)
        answers = _answers(tokenizer, [*items, *held_out], among_texts=bool(texts))
        items += _text_items(texts, tokenizer, options, left_out)
        dtype: Literal["uint16", "uint32"] = "uint16" if len(tokenizer) <= 1 << 16 else "uint32"
        parts: dict[Split, list[Item]] = {"train": items, "held_out": held_out}
        splits: dict[Split, tuple[Shard, ...]] = {}
        for split, some in parts.items():
            rows = fill_rows(some, options.row_tokens, answers.end, options.seed)
            splits[split] = tuple(_write_shards(folder / f"{split}-", rows, dtype))
        manifest = Manifest(
            version=FORMAT,
            tokenizer={
                path.name: sha256_bytes(path.read_bytes())
                for path in sorted((folder / TOKENIZER).iterdir())
            },
            vocab_size=len(tokenizer),
            dtype=dtype,
            end_of_text_id=answers.end,
            seed=options.seed,
            documents=len(items) + len(held_out),
            duplicates=0,
            skipped=sum(left_out.counts.values()),
            text_bytes=sum(len(text.encode()) for text in said),
            splits=splits,
            answers=answers,
            row_tokens=options.row_tokens,
        )
        write_atomic(folder / MANIFEST, manifest.to_json())
    return manifest


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
    folder: Path, start: Path | None, said: Sequence[str], vocab_size: int
) -> PreTrainedTokenizerBase:
    """That of the model at `start`, or one trained on what is said; its files are in `folder`."""
    if start:
        prepare_tokenizer(*start_tokenizer(start), folder, use_default=False)
    else:
        for name, data in role_tokenizer(said, vocab_size).items():
            write_atomic(folder / name, data)
    return open_tokenizer(folder)


def _encoded(
    lessons: Sequence[Lesson],
    measured: Sequence[Lesson],
    tokenizer: PreTrainedTokenizerBase,
    options: LessonOptions,
    left_out: LeftOut,
) -> tuple[list[Item], list[Item]]:
    """What is learnt, and what is only measured on."""
    items, held_out = (
        encode(some, tokenizer, left_out, most_tokens=options.row_tokens)
        for some in (lessons, measured)
    )
    if not measured:
        items, held_out = split_items(items, options.held_out)
    if not items:
        why = left_out.described() or "all lessons are held out, or there are none"
        raise ConfigError(f"there is nothing to learn from: {why}. Give other or more data")
    return items, held_out


def _said(lessons: Sequence[Lesson]) -> Iterator[str]:
    for lesson in lessons:
        for message in chain.from_iterable(lesson.conversations):
            yield message["content"]


def _answers(
    tokenizer: PreTrainedTokenizerBase, items: Sequence[Item], *, among_texts: bool
) -> Answers:
    """The tokens by which the chat template begins and ends an answer."""
    asked = [{"role": "user", "content": "?"}]
    said, begun = (
        str(tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=begins))
        for begins in (False, True)
    )
    begin = tokenizer(begun.removeprefix(said), add_special_tokens=False)["input_ids"]
    examples = [example for item in items for example in item.examples]
    end = int(examples[0].ids[examples[0].learnt][-1])
    answers = Answers(begin=tuple(begin), end=end) if begin else None
    if answers is None or any(
        not np.array_equal(answers.learnt(one.ids.astype(np.int64)), one.learnt) for one in examples
    ):
        raise ConfigError(
            "by its tokens the model's chat template does not show where an answer begins and "
            "ends, so that sites could not tell what to learn. Tune it on one machine: archipel "
            "finetune"
        )
    questions = tuple(tokenizer.get_vocab()[role] for role in ROLES[:-1]) if among_texts else None
    return replace(answers, questions=questions)


def _write_shards(begin: Path, rows: npt.NDArray[np.int64], dtype: str) -> Iterator[Shard]:
    """Rows as files whose names start with `begin`."""
    for number, start in enumerate(range(0, len(rows), _SHARD_ROWS)):
        part = rows[start : start + _SHARD_ROWS]
        data = part.astype(np.dtype(dtype).newbyteorder("<")).tobytes()
        path = begin.with_name(f"{begin.name}{number:05}.tokens")
        write_atomic(path, data)
        yield Shard(path.name, part.size, sha256_bytes(data))
