"""What a model has answered so far, kept beside the file that is being made: the same command goes
on where it was.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TextIO

from archipel.files import sha256_bytes


class Journal:
    """The answers by what was asked; each is on the disk when `add` returns. Use it with `with`:
    where the block ends without an error, they are of no more use and go."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._answers: dict[str, Any] = {}
        if path.exists():
            for line in path.read_text("utf-8", "replace").splitlines():
                try:
                    self._answers |= json.loads(line)
                except ValueError:  # cut short by a kill
                    continue

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, asked: Mapping[str, Any]) -> Any | None:
        """What was answered to this, if anything was."""
        return self._answers.get(_key(asked))

    def add(self, asked: Mapping[str, Any], answer: Any) -> None:
        """Keep an answer, which JSON can hold."""
        key = _key(asked)
        self._answers[key] = answer
        if self._file is None:
            self._file = self._path.open("a", encoding="utf-8")
            self._file.write("\n")
        self._file.write(json.dumps({key: answer}, ensure_ascii=False) + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        if kind is None:
            self._path.unlink(missing_ok=True)


def _key(asked: Mapping[str, Any]) -> str:
    return sha256_bytes(json.dumps(asked, sort_keys=True).encode())[:32]
