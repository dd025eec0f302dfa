"""What a model has answered so far, kept beside the file that is being made: the same command goes
on where it was.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from archipel.files import sha256_bytes


class Journal:
    """The answers by what was asked; each is on the disk when `add` returns."""

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

    def close(self, *, done: bool) -> None:
        """Nothing more comes; when the file that it was for is there, it is of no more use."""
        if self._file is not None:
            self._file.close()
        if done:
            self._path.unlink(missing_ok=True)


def _key(asked: Mapping[str, Any]) -> str:
    return sha256_bytes(json.dumps(asked, sort_keys=True).encode())[:32]
