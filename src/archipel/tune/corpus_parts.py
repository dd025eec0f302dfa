"""What corpora of lessons and of preferences are made of alike: items to learn and to measure on,
the marks of an answer, rows as files. Knows nothing about how rows are filled."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from archipel.corpus import Manifest, Preferences, Shard, Split
from archipel.corpus.answers import Answers
from archipel.corpus.left_out import LeftOut
from archipel.corpus.manifest import FORMAT, MANIFEST, TOKENIZER
from archipel.errors import ConfigError
from archipel.files import sha256_bytes, write_atomic
from archipel.tune.batches import split_items
from archipel.tune.encoding import Item, encode
from archipel.tune.lessons import Lesson

_SHARD_ROWS = 1 << 14

Dtype = Literal["uint16", "uint32"]
# By the marks of an answer, which of a conversation's tokens are learnt.
Learnt = Callable[[Answers, npt.NDArray[np.int64]], npt.NDArray[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a corpus was made of: so many items, with these contents of texts and messages, in an
    order of the seed's."""

    items: int
    contents: Sequence[str]
    left_out: LeftOut
    seed: int


def said(lessons: Sequence[Lesson]) -> Iterator[str]:
    """All contents of messages."""
    for lesson in lessons:
        for message in chain.from_iterable(lesson.conversations):
            yield message["content"]


def encoded(
    lessons: Sequence[Lesson],
    measured: Sequence[Lesson],
    tokenizer: PreTrainedTokenizerBase,
    *,
    most_tokens: int,
    held_out: float,
    left_out: LeftOut,
) -> tuple[list[Item], list[Item]]:
    """What is learnt, and what is only measured on: a share `held_out` where nothing is given for
    that.

    Raises:
        ConfigError: there is nothing to learn from.
    """
    items, apart = (
        encode(some, tokenizer, left_out, most_tokens=most_tokens) for some in (lessons, measured)
    )
    if not measured:
        items, apart = split_items(items, held_out)
    if not items:
        why = left_out.described() or "all lessons are held out, or there are none"
        raise ConfigError(f"there is nothing to learn from: {why}. Give other or more data")
    return items, apart


def answers_in(
    tokenizer: PreTrainedTokenizerBase, items: Sequence[Item], learnt: Learnt
) -> Answers:
    """The tokens by which the chat template begins and ends an answer.

    Raises:
        ConfigError: by them `learnt` does not tell of each item what is learnt.
    """
    asked = [{"role": "user", "content": "?"}]
    begun = str(
        tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    ).removeprefix(str(tokenizer.apply_chat_template(asked, tokenize=False)))
    begin = tokenizer(begun, add_special_tokens=False)["input_ids"]
    examples = [example for item in items for example in item.examples]
    end = int(examples[0].ids[examples[0].learnt][-1])
    answers = Answers(begin=tuple(begin), end=end) if begin else None
    if answers is None or any(
        not np.array_equal(learnt(answers, one.ids.astype(np.int64)), one.learnt)
        for one in examples
    ):
        raise ConfigError(
            "by its tokens the model's chat template does not show where an answer begins and "
            "ends, so that sites could not tell what to learn. Tune it on one machine: archipel "
            "finetune"
        )
    return answers


def write_corpus(
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    rows: Mapping[Split, npt.NDArray[np.int64]],
    learnt: Answers | Preferences,
    origin: Origin,
) -> Manifest:
    """Each split's rows, [rows, row_tokens], as files in `folder`, which has the tokenizer's files
    already, and the manifest, last. What is `learnt` of a row, it says."""
    dtype: Dtype = "uint16" if len(tokenizer) <= 1 << 16 else "uint32"
    manifest = Manifest(
        version=FORMAT,
        tokenizer={
            path.name: sha256_bytes(path.read_bytes())
            for path in sorted((folder / TOKENIZER).iterdir())
        },
        vocab_size=len(tokenizer),
        dtype=dtype,
        end_of_text_id=learnt.answers.end if isinstance(learnt, Preferences) else learnt.end,
        seed=origin.seed,
        documents=origin.items,
        duplicates=0,
        skipped=sum(origin.left_out.counts.values()),
        text_bytes=sum(len(text.encode()) for text in origin.contents),
        splits={
            split: tuple(_write_shards(folder, split, some, dtype)) for split, some in rows.items()
        },
        answers=learnt if isinstance(learnt, Answers) else None,
        row_tokens=rows["train"].shape[1],
        preferences=learnt if isinstance(learnt, Preferences) else None,
    )
    write_atomic(folder / MANIFEST, manifest.to_json())
    return manifest


def _write_shards(
    folder: Path, split: Split, rows: npt.NDArray[np.int64], dtype: Dtype
) -> Iterator[Shard]:
    for number, start in enumerate(range(0, len(rows), _SHARD_ROWS)):
        part = rows[start : start + _SHARD_ROWS]
        data = part.astype(np.dtype(dtype).newbyteorder("<")).tobytes()
        path = folder / f"{split}-{number:05}.tokens"
        write_atomic(path, data)
        yield Shard(path.name, part.size, sha256_bytes(data))
