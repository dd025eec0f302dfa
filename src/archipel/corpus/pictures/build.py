"""Build a corpus of pictures: with captions → tokenizer and linear code → rows → shards, manifest.

A row is the tokens of one caption and the values of its picture, in the same shards as text has, so
that sites claim, fetch and account for rows as for any text.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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
from archipel.corpus.pictures.reading import KINDS, METADATA, Picture, Show, read_pictures
from archipel.corpus.tokenizer import (
    SMALLEST_VOCABULARY,
    Encode,
    encoder,
    end_of_text_id,
    load_tokenizer,
    train_tokenizer,
    vocabulary_size,
)
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


class _Target(NamedTuple):
    """The folder of the shards and what makes rows of pictures and captions."""

    folder: Path
    options: PictureOptions
    encode: Encode
    padding: int
    latents: Latents


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
    captions = [text for picture in splits["train"] for text in picture.captions]
    show("training the tokenizer", 0, 0)
    # A list: `tokenizers` would read from a thread of its own, deaf to Ctrl-C.
    tokenizer = train_tokenizer(captions, options.vocab_size)
    for name, data in tokenizer.items():
        write_atomic(folder / TOKENIZER / name, data)
    show("learning the code of the pictures", 0, 0)
    pixels = _pixels(splits["train"])
    latents = _fitted(pixels, options)
    latents.save(folder / LATENTS)
    opened = load_tokenizer(folder / TOKENIZER)
    padding = end_of_text_id(folder / TOKENIZER, opened)
    target = _Target(folder, options, encoder(folder / TOKENIZER, captions[:64]), padding, latents)
    manifest = Manifest(
        version=FORMAT,
        tokenizer={name: sha256_bytes(data) for name, data in tokenizer.items()},
        vocab_size=vocabulary_size(opened),
        dtype="uint16",
        end_of_text_id=padding,
        seed=options.seed,
        documents=sum(map(len, splits.values())),
        duplicates=duplicates,
        skipped=sum(left_out.counts.values()),
        text_bytes=sum(
            len(text.encode()) for some in splits.values() for one in some for text in one.captions
        ),
        splits={
            split: tuple(_write_split(target, split, some, show)) for split, some in splits.items()
        },
        row_tokens=options.caption_tokens + latents.values,
        pictures=Pictures(
            options.size, options.caption_tokens, latents.values, sha256_file(folder / LATENTS)
        ),
    )
    write_atomic(folder / MANIFEST, manifest.to_json())
    kept = latents.variance_kept(pixels)
    return Built(manifest, kept, {split: len(some) for split, some in splits.items()})


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
    """The pictures of each split, and how many were met before with the same captions."""
    splits: dict[Split, list[Picture]] = {"train": [], "held_out": []}
    seen: set[tuple[bytes, tuple[str, ...]]] = set()
    duplicates = 0
    for picture in read_pictures(inputs, options.size, left_out, show):
        if (picture.hash, picture.captions) in seen:
            duplicates += 1
            log.info("%s is left out: it is the same as one before", picture.name)
            continue
        seen.add((picture.hash, picture.captions))
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
    if not splits["train"]:
        raise ConfigError(
            f"all {len(seen):,} pictures are in the held-out split: give others to train on, or "
            "lower held-out."
        )
    if not splits["held_out"]:
        log.warning("no picture is in the held-out split: raise --held-out to measure on it")
    return splits, duplicates


def _fraction(hash_: bytes) -> float:
    """A picture's place between 0 and 1: the same in every build that it is part of."""
    return int.from_bytes(hash_[:4]) / 2**32


def _pixels(pictures: Sequence[Picture]) -> npt.NDArray[np.uint8]:
    """Flattened, [N, size · size · 3]."""
    return np.stack([picture.pixels.reshape(-1) for picture in pictures])


def _write_split(
    target: _Target, split: Split, pictures: Sequence[Picture], show: Show
) -> Iterator[Shard]:
    """The shards of a split, its rows in an order of the seed's."""
    options, latents = target.options, target.latents
    captions = [text for picture in pictures for text in picture.captions]
    if not captions:
        return
    show("encoding the pictures", 0, 0)
    tokens = _caption_tokens(target, captions)
    values = latents.encode(_pixels(pictures))
    picture = np.repeat(np.arange(len(pictures)), [len(one.captions) for one in pictures])
    order = np.random.default_rng(options.seed).permutation(len(captions))
    step = _SHARD_TOKENS // (options.caption_tokens + latents.values)
    for number, start in enumerate(range(0, len(order), step)):
        show("writing rows", start, len(order))
        some = order[start : start + step]
        rows = np.concatenate([tokens[some], values[picture[some]]], axis=1)
        data = rows.astype("<u2").tobytes()
        name = f"{split}-{number:05}.tokens"
        write_atomic(target.folder / name, data)
        yield Shard(name, rows.size, sha256_bytes(data))


def _caption_tokens(target: _Target, captions: list[str]) -> npt.NDArray[np.uint16]:
    """Those of each caption, cut or filled with the padding: [captions, caption_tokens]."""
    ids, ends = target.encode(captions)
    found = np.full((len(captions), target.options.caption_tokens), target.padding, np.uint16)
    start = 0
    for row, end in zip(found, ends.tolist(), strict=True):
        kept = ids[start : min(end, start + len(row))]
        row[: len(kept)] = kept
        start = end
    return found
