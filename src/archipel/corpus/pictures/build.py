"""Build a corpus of pictures: with what is said of them → tokenizer and linear code → rows →
shards, manifest.

A row is the tokens of one caption, or of one question with its answer, and the values of its
picture, in the same shards as text has, so that sites claim, fetch and account for rows as for any
text.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archipel.corpus.left_out import LeftOut
from archipel.corpus.manifest import (
    FORMAT,
    LATENTS,
    MANIFEST,
    TOKENIZER,
    Manifest,
    Pictures,
    Shard,
    Split,
)
from archipel.corpus.pictures.latents import Latents, fit
from archipel.corpus.pictures.reading import KINDS, METADATA, Asked, Picture, Show, read_pictures
from archipel.corpus.pictures.wording import Worded, new_wording
from archipel.corpus.tokenizer import SMALLEST_VOCABULARY
from archipel.errors import ConfigError
from archipel.files import sha256_bytes, sha256_file, write_atomic

_SHARD_TOKENS = 16 << 20
_MOST_SIZE = 256  # above it the code alone would need gigabytes
_MOST_VOCABULARY = 1 << 16

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """What decides, with the inputs, every byte of a corpus of pictures: the pixels of a square's
    side, the values of its code, the tokens of a caption. `held_out` is the fraction of the
    pictures that is only measured on, where the material does not say."""

    size: int = 64
    values: int = 768
    caption_tokens: int = 24
    vocab_size: int = 4096
    held_out: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.size <= _MOST_SIZE:
            raise ConfigError(f"a size of {self.size} pixels: use 1 to {_MOST_SIZE}.")
        if self.values < 1:
            raise ConfigError(f"{self.values} values for a picture: use 1 or more.")
        if not 1 <= self.caption_tokens <= 4096:
            raise ConfigError(f"{self.caption_tokens} tokens for a caption: use 1 to 4096.")
        if not SMALLEST_VOCABULARY <= self.vocab_size <= _MOST_VOCABULARY:
            raise ConfigError(
                f"a vocabulary of {self.vocab_size}: use {SMALLEST_VOCABULARY} to "
                f"{_MOST_VOCABULARY}."
            )
        if not 0 <= self.held_out < 1:
            raise ConfigError(f"held-out {self.held_out} is not a fraction: from 0 to below 1.")


@dataclass(frozen=True)
class Built:
    """What came of a build: `variance_kept` is the share, 0..1, of the variance of the pictures to
    train on that their values keep; `pictures` are counted by split."""

    manifest: Manifest
    variance_kept: float
    pictures: dict[Split, int]


def build_picture_corpus(
    inputs: list[Path],
    folder: Path,
    options: PictureOptions,
    left_out: LeftOut,
    show: Show = lambda what, done, count: None,
) -> Built:
    """Fill the empty `folder` with the corpus of the pictures in `inputs`, folders or zip archives;
    the manifest is written last. What was left out, and why, is noted in `left_out`; `show` is
    told what is being done, how much of it is, and of how much.

    Raises:
        ConfigError: an input can't be read, there is nothing to learn from, or `folder` holds
            something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} holds something already: name an empty folder or another.")
    splits, duplicates = _read(inputs, options, left_out, show)
    asks = any(picture.asked for some in splits.values() for picture in some)
    if asks:
        splits = {split: list(_asked(some, left_out)) for split, some in splits.items()}
    _check(splits)
    show("training the tokenizer", 0, 0)
    wording = new_wording(
        splits["train"],
        folder / TOKENIZER,
        asks=asks,
        vocab_size=options.vocab_size,
        width=options.caption_tokens,
    )
    worded = {split: wording.rows(some, left_out) for split, some in splits.items()}
    show("learning the code of the pictures", 0, 0)
    pixels = _pixels(splits["train"])
    latents = _fitted(pixels, options)
    latents.save(folder / LATENTS)
    shards: dict[Split, tuple[Shard, ...]] = {}
    for split, some in splits.items():
        begin = folder / f"{split}-"
        shards[split] = tuple(
            _write_shards(begin, worded[split], some, latents, options.seed, show) if some else ()
        )
    manifest = Manifest(
        version=FORMAT,
        tokenizer={path.name: sha256_file(path) for path in sorted((folder / TOKENIZER).iterdir())},
        vocab_size=wording.vocab_size,
        dtype="uint16",
        end_of_text_id=wording.padding,
        seed=options.seed,
        documents=sum(map(len, splits.values())),
        duplicates=duplicates,
        skipped=sum(left_out.counts.values()),
        text_bytes=sum(
            len(text.encode()) for some in splits.values() for one in some for text in _said(one)
        ),
        splits=shards,
        row_tokens=options.caption_tokens + latents.values,
        pictures=Pictures(
            options.size,
            options.caption_tokens,
            latents.values,
            sha256_file(folder / LATENTS),
            wording.answers,
        ),
    )
    write_atomic(folder / MANIFEST, manifest.to_json())
    kept = latents.variance_kept(pixels)
    return Built(manifest, kept, {split: len(some) for split, some in splits.items()})


def _asked(pictures: Sequence[Picture], left_out: LeftOut) -> Iterator[Picture]:
    """Those about which something is asked."""
    for picture in pictures:
        if picture.asked:
            yield picture
        else:
            left_out.note("without a question, where others have some", picture.name)


def _said(picture: Picture) -> tuple[str, ...]:
    """The texts that are learnt of it."""
    return tuple(chain.from_iterable(picture.asked)) or picture.captions


def _fitted(pixels: npt.NDArray[np.uint8], options: PictureOptions) -> Latents:
    latents = fit(pixels, options.values, options.seed)
    if latents.values < options.values:
        log.warning(
            "%d values for a picture, not %d: %d pictures of %d pixels to train on have no more",
            *(latents.values, options.values, len(pixels), options.size**2),
        )
    return latents


def _read(
    inputs: list[Path], options: PictureOptions, left_out: LeftOut, show: Show
) -> tuple[dict[Split, list[Picture]], int]:
    """The pictures of each split, and how many were met before with the same words."""
    splits: dict[Split, list[Picture]] = {"train": [], "held_out": []}
    seen: set[tuple[bytes, tuple[str, ...], tuple[Asked, ...]]] = set()
    duplicates = 0
    for picture in read_pictures(inputs, options.size, left_out, show):
        met = (picture.hash, picture.captions, picture.asked)
        if met in seen:
            duplicates += 1
            log.info("%s is left out: it is the same as one before", picture.name)
            continue
        seen.add(met)
        told = picture.held_out
        held_out = _fraction(picture.hash) < options.held_out if told is None else told
        splits["held_out" if held_out else "train"].append(picture)
    if not seen:
        raise ConfigError(
            f"no picture with a caption in {', '.join(map(str, inputs))}"
            f"{': ' if left_out.counts else ''}{left_out.described()}. Name folders or zip "
            f"archives of {', '.join(KINDS)} with a {METADATA} (file_name, text), or with a "
            "NAME.txt beside each NAME.png."
        )
    return splits, duplicates


def _check(splits: Mapping[Split, Sequence[Picture]]) -> None:
    """Whether there is something to train on."""
    if not splits["train"]:
        raise ConfigError(
            f"all {len(splits['held_out']):,} pictures are in the held-out split: give others to "
            "train on, or lower held-out."
        )
    if not splits["held_out"]:
        log.warning("no picture is in the held-out split: raise --held-out to measure on it")


def _fraction(hash_: bytes) -> float:
    """A picture's place between 0 and 1: the same in every build that it is part of."""
    return int.from_bytes(hash_[:4]) / 2**32


def _pixels(pictures: Sequence[Picture]) -> npt.NDArray[np.uint8]:
    """Flattened, [N, size · size · 3]."""
    return np.stack([picture.pixels.reshape(-1) for picture in pictures])


def _write_shards(
    begin: Path,
    worded: Worded,
    pictures: Sequence[Picture],
    latents: Latents,
    seed: int,
    show: Show,
) -> Iterator[Shard]:
    """Rows in an order of the seed's, as files whose names start with `begin`."""
    show("encoding the pictures", 0, 0)
    values = latents.encode(_pixels(pictures))
    order = np.random.default_rng(seed).permutation(len(worded.tokens))
    step = _SHARD_TOKENS // (worded.tokens.shape[1] + values.shape[1])
    for number, start in enumerate(range(0, len(order), step)):
        show("writing rows", start, len(order))
        some = order[start : start + step]
        rows = np.concatenate([worded.tokens[some], values[worded.picture[some]]], axis=1)
        data = rows.astype("<u2").tobytes()
        path = begin.with_name(f"{begin.name}{number:05}.tokens")
        write_atomic(path, data)
        yield Shard(path.name, rows.size, sha256_bytes(data))
