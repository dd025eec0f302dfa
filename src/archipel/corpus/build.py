"""Build a corpus: documents → without duplicates → tokens → shards, and at the end the manifest.

Documents are taken in batches; a batch becomes at most one shard of each split. A build that was
killed goes on after its last whole batch and ends with the bytes of one that never was.
"""

import hashlib
import json
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from archipel.corpus.documents import find_files, read_documents
from archipel.corpus.journal import Batch, Journal, Place, Plan
from archipel.corpus.manifest import (
    FORMAT,
    MANIFEST,
    TOKENIZER,
    Manifest,
    Shard,
    Split,
    read_manifest,
)
from archipel.corpus.middles import Document, plain, rearranged
from archipel.corpus.tokenizer import (
    SMALLEST_VOCABULARY,
    Encode,
    encoder,
    end_of_text_id,
    load_tokenizer,
    middle_ids,
    take_tokenizer,
    train_tokenizer,
    vocabulary_size,
)
from archipel.errors import ConfigError
from archipel.files import sha256_bytes, write_atomic

SPLITS: tuple[Split, ...] = get_args(Split)

# What the tokenizer learns from: 16 MiB for the default vocabulary, more for a larger one.
_SAMPLE_BYTES_PER_TOKEN = 4096
_HASH_BYTES = 16

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuildOptions:
    """What decides, with the inputs, every byte of a corpus.

    `held_out` is a fraction of the documents, `tokenizer` a folder to take instead of training one,
    `shard_bytes` how much text goes into a shard, `fill_in` the share of the text to train on that
    is rearranged for filling in the middle.
    """

    field: str = "text"
    vocab_size: int = 4096
    tokenizer: Path | None = None
    held_out: float = 0.01
    seed: int = 0
    shard_bytes: int = 16 << 20
    fill_in: float = 0.0

    def __post_init__(self) -> None:
        if self.tokenizer is None and self.vocab_size < SMALLEST_VOCABULARY:
            raise ConfigError(
                f"a vocabulary of {self.vocab_size} is too small: at least {SMALLEST_VOCABULARY}."
            )
        if not 0 <= self.held_out < 1:
            raise ConfigError(f"held-out {self.held_out} is not a fraction: from 0 to below 1.")
        if not 0 <= self.fill_in <= 1:
            raise ConfigError(f"fill-in {self.fill_in} is not a fraction: from 0 to 1.")
        if self.shard_bytes < 1:
            raise ConfigError(f"shards of {self.shard_bytes} bytes: use 1 or more.")


@dataclass(frozen=True)
class Progress:
    """How far a build is: bytes of the input files behind it, of all, and of text in them."""

    done_bytes: int
    total_bytes: int
    text_bytes: int


class _Read(NamedTuple):
    """One document as it was read, and the place after it."""

    text: str | None
    next: Place
    done_bytes: int


class _Target(NamedTuple):
    """The folder of the shards and what makes tokens of text."""

    folder: Path
    tokenizer: dict[str, str]  # digests of its files
    encode: Encode
    vocab_size: int
    end_of_text_id: int
    middle_ids: dict[str, int]  # empty where nothing is rearranged

    @property
    def dtype(self) -> Literal["uint16", "uint32"]:
        return "uint16" if self.vocab_size <= 1 << 16 else "uint32"


def build_corpus(
    inputs: list[Path],
    out: Path,
    options: BuildOptions,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Manifest:
    """Build the corpus of `inputs` in the folder `out`, or finish the build that was begun there.

    Raises:
        ConfigError: an input, an option or what `out` already holds can't be used.
    """
    files = find_files(inputs)
    journal = Journal(out, _plan(files, options))
    if journal.finished:
        log.info("%s is already built, nothing to do", out)
        journal.finish()
        return read_manifest(out)

    # Not in the order of their names: neighbouring shards and the tokenizer's sample are mixed.
    random.Random(options.seed).shuffle(files)
    target = _target(files, out, journal, options)
    done = journal.batches
    documents = _documents(files, options.field, done[-1].next if done else Place())
    seen = {bytes.fromhex(hash_) for batch in done for hash_ in batch.hashes.split()}
    total_bytes = sum(path.stat().st_size for path in files)
    while True:
        done_bytes = done[-1].done_bytes if done else 0
        progress(Progress(done_bytes, total_bytes, sum(batch.text_bytes for batch in done)))
        batch = _next_batch(documents, seen, options, target, len(done))
        if batch is None:
            break
        journal.append(batch)

    manifest = _manifest(done, target, options)
    write_atomic(out / MANIFEST, manifest.to_json())
    journal.finish()
    return manifest


def _plan(files: list[Path], options: BuildOptions) -> Plan:
    stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    plan = asdict(options)
    if not options.fill_in:
        del plan["fill_in"]  # the same plan as one that knows nothing of it
    plan |= {"format": FORMAT, "inputs": sha256_bytes(json.dumps(stats).encode())}
    if options.tokenizer is not None:
        plan["tokenizer"] = _digests(take_tokenizer(options.tokenizer))
    return plan


def _target(files: list[Path], out: Path, journal: Journal, options: BuildOptions) -> _Target:
    folder = out / TOKENIZER
    digests = journal.tokenizer
    if digests is None:
        if options.tokenizer is None:
            # A list: `tokenizers` would read from a thread of its own, deaf to Ctrl-C.
            contents = train_tokenizer(list(_sample(files, options)), options.vocab_size)
        else:
            contents = take_tokenizer(options.tokenizer)
        for name, data in contents.items():
            write_atomic(folder / name, data)
        digests = _digests(contents)
        journal.put_tokenizer(digests)
    tokenizer = load_tokenizer(folder)
    return _Target(
        out,
        digests,
        encoder(folder, list(islice(_sample(files, options), 64))),
        vocabulary_size(tokenizer),
        end_of_text_id(folder, tokenizer),
        middle_ids(tokenizer) if options.fill_in else {},
    )


def _digests(contents: dict[str, bytes]) -> dict[str, str]:
    return {name: sha256_bytes(data) for name, data in contents.items()}


def _sample(files: list[Path], options: BuildOptions) -> Iterator[str]:
    """Text from the beginning of every file, so that no single one decides the vocabulary."""
    budget = options.vocab_size * _SAMPLE_BYTES_PER_TOKEN
    share = max(budget // len(files), _SAMPLE_BYTES_PER_TOKEN)
    for path in files:
        left = min(share, budget)
        if left <= 0:
            return
        for document in read_documents(path, options.field):
            text = (document.text or "")[:left]
            yield text
            left -= len(text)
            budget -= len(text)
            if left <= 0:
                break


def _documents(files: list[Path], field: str, start: Place) -> Iterator[_Read]:
    done_bytes = sum(path.stat().st_size for path in files[: start.file])
    for number, path in enumerate(files[start.file :], start.file):
        skip = start.document if number == start.file else 0
        documents = enumerate(read_documents(path, field), 1)
        for count, document in islice(documents, skip, None):
            yield _Read(document.text, Place(number, count), done_bytes + document.end_bytes)
        done_bytes += path.stat().st_size


def _next_batch(
    documents: Iterator[_Read],
    seen: set[bytes],
    options: BuildOptions,
    target: _Target,
    number: int,
) -> Batch | None:
    """Read the next documents and write their shards; None where there are no more."""
    texts: dict[Split, list[str]] = {"train": [], "held_out": []}
    hashes: list[bytes] = []
    duplicates = skipped = text_bytes = 0
    last = None
    for last in documents:
        if last.text is None or not last.text.strip():
            skipped += 1
            continue
        data = last.text.encode()
        hash_ = hashlib.sha256(data).digest()[:_HASH_BYTES]
        if hash_ in seen:
            duplicates += 1
            continue
        seen.add(hash_)
        hashes.append(hash_)
        split: Split = "held_out" if _fraction(hash_) < options.held_out else "train"
        texts[split].append(last.text)
        text_bytes += len(data)
        if text_bytes >= options.shard_bytes:
            break
    if last is None:
        return None
    order = random.Random(f"{options.seed} {number}")
    shards: dict[Split, Shard] = {}
    for split, chosen in texts.items():
        if chosen:
            order.shuffle(chosen)
            share = options.fill_in if split == "train" else 0
            written = _arranged(chosen, share, order)
            shards[split] = _write_shard(target, f"{split}-{number:05}.tokens", written)
    return Batch(
        next=last.next,
        done_bytes=last.done_bytes,
        documents=len(hashes),
        duplicates=duplicates,
        skipped=skipped,
        text_bytes=text_bytes,
        hashes=" ".join(hash_.hex() for hash_ in hashes),
        shards=shards,
    )


def _fraction(hash_: bytes) -> float:
    """A document's place between 0 and 1: the same in every build that it is part of."""
    return int.from_bytes(hash_[:4]) / 2**32


def _arranged(texts: list[str], share: float, dice: random.Random) -> list[Document]:
    if not share:
        return [plain(text) for text in texts]
    documents = [one for text in texts for one in rearranged(text, share, dice)]
    dice.shuffle(documents)
    return documents


def _write_shard(target: _Target, name: str, documents: list[Document]) -> Shard:
    ids, ends = target.encode([part.text for document in documents for part in document])
    places, marks, start = [], [], 0
    parts = iter(ends.tolist())
    for document in documents:
        for part in document:
            if part.mark:
                places.append(start)
                marks.append(target.middle_ids[part.mark])
            start = next(parts)
        places.append(start)
        marks.append(target.end_of_text_id)
    dtype = np.dtype(target.dtype).newbyteorder("<")
    tokens = np.insert(ids, places, marks).astype(dtype)
    write_atomic(target.folder / name, tokens.tobytes())
    return Shard(name, tokens.size, sha256_bytes(tokens.data))


def _manifest(batches: list[Batch], target: _Target, options: BuildOptions) -> Manifest:
    manifest = Manifest(
        version=FORMAT,
        tokenizer=target.tokenizer,
        vocab_size=target.vocab_size,
        dtype=target.dtype,
        end_of_text_id=target.end_of_text_id,
        seed=options.seed,
        documents=sum(batch.documents for batch in batches),
        duplicates=sum(batch.duplicates for batch in batches),
        skipped=sum(batch.skipped for batch in batches),
        text_bytes=sum(batch.text_bytes for batch in batches),
        splits={
            split: tuple(batch.shards[split] for batch in batches if split in batch.shards)
            for split in SPLITS
        },
    )
    if manifest.documents == 0:
        raise ConfigError(
            f"the inputs hold no text: {manifest.skipped} documents are empty or not UTF-8. "
            "Name other files."
        )
    if manifest.tokens("train") == 0:
        raise ConfigError(
            f"all {manifest.documents} documents fell into the held-out split: lower held-out."
        )
    if options.held_out and manifest.tokens("held_out") == 0:
        log.warning("no document fell into the held-out split: raise --held-out to measure on it")
    return manifest
