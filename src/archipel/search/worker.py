"""Run as a child process: reads one file after another, each within limits of its own.

Takes an order, a line of JSON, for each file; answers with its chunks as lines of JSON and a line
that says how it ended. Unlike `documents/child.py` it stays, as to start Python takes longer than
to read most files; one that has used what a file may cost is replaced by whoever runs it.
"""

import hashlib
import json
import os
import sys
from pathlib import PurePath
from typing import Any, BinaryIO

from archipel.documents.blocks import Limits
from archipel.documents.collector import too_large
from archipel.documents.confined import allow_cpu, answers_out, confine, outcome
from archipel.documents.formats.inside import collect
from archipel.documents.sniff import refuse_early
from archipel.errors import DocumentChanged
from archipel.search.texts import chunks_of

_START_BYTES = 8192


def main() -> None:
    """Follow the orders on standard input: first the limits, then a path and a name each."""
    answers = answers_out()
    first = json.loads(sys.stdin.readline())
    limits = Limits(**first["limits"])
    confine(limits, limits.cpu_seconds * first["files"])
    for line in sys.stdin:
        order = json.loads(line)
        allow_cpu(limits.cpu_seconds)
        for answer in outcome(order["name"], limits, lambda: _read(order, limits)):  # noqa: B023
            answers.write(json.dumps(answer, ensure_ascii=False) + "\n")
        answers.flush()


def _read(order: dict[str, Any], limits: Limits) -> list[dict[str, Any]]:
    """The chunks of a file, and what it was when they were read.

    Raises:
        DocumentError: of the kind that says why it can't be read.
    """
    name = order["name"]
    try:
        # Whatever is in the path's place by now: no link is followed, no pipe waited for.
        handle = os.open(order["path"], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            data = _bytes(file, name, limits)
            known = os.fstat(handle)
    except PermissionError:
        return [{"gone": "unreadable"}]
    except OSError:
        return [{"gone": "missing"}]
    document = collect(name, data, limits)
    end = {
        "digest": hashlib.sha256(data).hexdigest(),
        "suffix": PurePath(name).suffix.lower(),
        "size": known.st_size,
        "mtime_ns": known.st_mtime_ns,
        "inode": known.st_ino,
        "title": document.title,
        "language": document.language,
        "unread": [unread.to_json() for unread in document.unread],
    }
    return [*({"chunk": chunk.to_json()} for chunk in chunks_of(document)), {"text": end}]


def _bytes(file: BinaryIO, name: str, limits: Limits) -> bytes:
    """All of the file, if its beginning is of a kind that is read.

    Raises:
        DocumentUnsupported, DocumentTooLarge: it is of none, or too large.
        DocumentChanged: it was written to meanwhile.
    """
    before = os.fstat(file.fileno())
    start = file.read(_START_BYTES)
    refuse_early(name, start)
    data = start + file.read(limits.input_bytes + 1 - len(start))
    if len(data) > limits.input_bytes:
        raise too_large(name, f"{limits.input_bytes:,} bytes")
    after = os.fstat(file.fileno())
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, len(data)):
        raise DocumentChanged(f"{name!r} was changed meanwhile. Do it again.")
    return data


if __name__ == "__main__":
    main()
