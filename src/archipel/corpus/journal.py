"""What an unfinished build has behind it, so that it can go on after a kill.

`build.json` says what is being built and stays beside the corpus; `.build/` holds one entry for
each batch of documents whose shards are on the disk, and goes when the corpus is finished.
"""

import shutil
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from archipel.corpus.manifest import MANIFEST, Shard, Split
from archipel.errors import ConfigError
from archipel.files import read_json, write_atomic, write_json

Plan = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """The next document to read: the number of its file, and its own number in that file."""

    file: int = 0
    document: int = 0


@dataclass(frozen=True)
class Batch:
    """What a batch of documents held, and where the next one begins."""

    next: Place
    done_bytes: int  # of the input files, up to that place
    documents: int
    duplicates: int
    skipped: int
    text_bytes: int
    hashes: str  # of its documents, hexadecimal, with spaces between
    shards: dict[Split, Shard]


_ADAPTER = TypeAdapter(Batch)


class Journal:
    """The batches that are done of the build of `plan` in the folder `out`."""

    def __init__(self, out: Path, plan: Plan) -> None:
        """Open or begin the build.

        Raises:
            ConfigError: `out` holds another corpus or another unfinished build.
        """
        self._out = out
        self._folder = out / ".build"
        self.batches = [
            _ADAPTER.validate_json(path.read_bytes())
            for path in sorted(self._folder.glob("batch-*.json"))
        ]
        self.finished = (out / MANIFEST).exists()
        record = out / "build.json"
        before: Plan = read_json(record) if record.exists() else {}
        if before == plan:
            return
        others = ", ".join(sorted(key for key in plan if before.get(key) != plan[key]))
        if self.finished:
            raise ConfigError(
                f"{out} already holds a corpus, with other {others}. "
                "Choose another folder, or delete this one."
            )
        if self.batches:
            raise ConfigError(
                f"{out} holds an unfinished build with other {others}. Finish it with its own "
                "command, choose another folder, or delete this one."
            )
        shutil.rmtree(self._folder, ignore_errors=True)
        write_json(record, plan)

    @property
    def tokenizer(self) -> dict[str, str] | None:
        """The digests of the tokenizer's files, once they are written."""
        path = self._folder / "tokenizer.json"
        found: dict[str, str] | None = read_json(path) if path.exists() else None
        return found

    def put_tokenizer(self, digests: dict[str, str]) -> None:
        """Note that the tokenizer's files are written."""
        write_json(self._folder / "tokenizer.json", digests)

    def append(self, batch: Batch) -> None:
        """Note that a batch's shards are written."""
        name = f"batch-{len(self.batches):06}.json"
        write_atomic(self._folder / name, _ADAPTER.dump_json(batch))
        self.batches.append(batch)

    def finish(self) -> None:
        """Remove what only an unfinished build needs."""
        shutil.rmtree(self._folder, ignore_errors=True)
        for leftover in self._out.glob(".*.tokens.*"):
            leftover.unlink()
