"""Tokens out of a corpus, by their place in a split. Knows nothing about batches or models."""

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archipel.corpus.manifest import Manifest, Shard, Split
from archipel.errors import IntegrityError
from archipel.files import sha256_file

Fetch = Callable[[Shard, Path], None]


class TokenReader:
    """One split of the corpus in `folder`, read through memory maps.

    A shard that is missing is brought by `fetch`; each is checked when it is first needed.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, split: Split, fetch: Fetch | None = None
    ) -> None:
        self._folder = folder
        self._dtype = np.dtype(manifest.dtype).newbyteorder("<")
        self._shards = manifest.splits.get(split, ())
        self._starts = list(accumulate((shard.tokens for shard in self._shards), initial=0))
        self._fetch = fetch
        self._answers = manifest.answers
        self._maps: dict[int, npt.NDArray[np.unsignedinteger]] = {}

    @property
    def folder(self) -> Path:
        """The corpus's."""
        return self._folder

    @property
    def tokens(self) -> int:
        """Tokens of the whole split."""
        return self._starts[-1]

    def read(self, start: int, count: int) -> npt.NDArray[np.int64]:
        """A copy of `count` tokens from `start` on, which must lie inside the split.

        Raises:
            IntegrityError: a shard is missing or is not what the manifest says.
        """
        assert 0 <= start <= start + count <= self.tokens, (start, count, self.tokens)
        found = np.empty(count, np.int64)
        done = 0
        while done < count:
            number = bisect_right(self._starts, start + done) - 1
            first = start + done - self._starts[number]
            piece = self._map(number)[first : first + count - done]
            found[done : done + piece.size] = piece
            done += piece.size
        return found

    def read_targets(self, start: int, count: int) -> npt.NDArray[np.int64]:
        """As `read`, with NO_TARGET for what is not learnt; `start` begins a row of lessons."""
        tokens = self.read(start, count)
        return self._answers.targets(tokens) if self._answers else tokens

    def bring(self, start: int, count: int) -> None:
        """Make sure that the shards of these tokens are here and sound, so that `read` is quick.

        Raises:
            IntegrityError: a shard is missing or is not what the manifest says.
        """
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, min(start + count, self.tokens) - 1) - 1
        for number in range(first, last + 1):
            self._map(number)

    def _map(self, number: int) -> npt.NDArray[np.unsignedinteger]:
        if number not in self._maps:
            shard = self._shards[number]
            path = self._folder / shard.name
            if self._fetch is not None and not path.exists():
                self._fetch(shard, path)
            check_shard(shard, path)
            self._maps[number] = np.memmap(path, self._dtype, mode="r")
        return self._maps[number]


def check_shard(shard: Shard, path: Path) -> None:
    """Compare a shard's file with the manifest.

    Raises:
        IntegrityError: it is missing, truncated or altered.
    """
    if not path.exists():
        raise IntegrityError(
            f"{path} is missing. Copy it from the store or build the corpus again."
        )
    if sha256_file(path) != shard.sha256:
        raise IntegrityError(
            f"{path} is not the shard that the manifest names: its SHA-256 is not {shard.sha256}. "
            "It was truncated or altered: delete it, then fetch it or build the corpus again."
        )
