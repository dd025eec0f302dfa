"""Run as a child process: reads one document, draws a page or changes it, within limits of its own.

Takes an order, a line of JSON, from standard input; writes blocks, a picture, stretches or the
changed file as lines of JSON to standard output, then a line that says how it ended. Apart, because
a file may crash its library.
"""

import base64
import hashlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from archipel.documents.blocks import Limits
from archipel.documents.collector import Collector, too_costly, too_large
from archipel.documents.formats.inside import read_inside
from archipel.documents.language import guess_language
from archipel.documents.pages import PlaceOnPage
from archipel.errors import ArchipelError, DocumentChanged, DocumentCorrupt, DocumentEmpty

_SAMPLE_BLOCKS = 400


def main() -> None:
    """Follow the order on standard input."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    order = json.loads(sys.stdin.readline())
    limits = Limits(**order["limits"])
    _limit(limits)
    try:
        data = _bytes(order, limits)
        if "place" in order:
            lines = _draw(order, data)
        elif "changes" in order:
            lines = _edit(order, data, limits)
        else:
            lines = _read(order["name"], data, limits)
    except ArchipelError as error:
        lines = [{"error": type(error).__name__, "message": str(error)}]
    except MemoryError:
        lines = [_failed(too_costly(order["name"], f"{limits.memory_bytes:,} bytes of memory"))]
    except RecursionError:
        lines = [_failed(too_costly(order["name"], "400 parts within parts"))]
    except Exception as error:  # noqa: BLE001 (a damaged file may raise anything in its library)
        lines = [_failed(_damaged(order["name"], error))]
    for line in lines:
        answers.write(json.dumps(line, ensure_ascii=False) + "\n")
    answers.close()


def _limit(limits: Limits) -> None:
    """Bound this process: memory, processor time; no files written, no core left."""
    for kind, value, last in (
        (resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1),  # a signal that says why
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        allowed = last if hard == resource.RLIM_INFINITY else min(last, hard)
        resource.setrlimit(kind, (min(value, allowed), allowed))


def _bytes(order: dict[str, Any], limits: Limits) -> bytes:
    with Path(order["path"]).open("rb") as file:
        data = file.read(limits.input_bytes + 1)
    if len(data) > limits.input_bytes:  # it grew since it was measured, or is no file
        raise too_large(order["name"], f"{limits.input_bytes:,} bytes")
    return data


def _read(name: str, data: bytes, limits: Limits) -> list[dict[str, Any]]:
    out = Collector(name, limits)
    if data.strip():
        read_inside(data, out)
    if not out.blocks:
        raise DocumentEmpty(f"{name!r} has no text. Check that it is the right file.")
    sample = "\n".join(block.text for block in out.blocks[:_SAMPLE_BLOCKS])
    end = {
        "title": out.title or Path(name).stem,
        "language": guess_language(sample),
        "unread": [unread.to_json() for unread in out.unread],
    }
    return [*({"block": block.to_json()} for block in out.blocks), {"document": end}]


def _draw(order: dict[str, Any], data: bytes) -> list[dict[str, Any]]:
    from archipel.documents.formats.pdf_image import page_image

    image = page_image(order["name"], data, PlaceOnPage(**order["place"]), order["width"])
    return [
        {
            "png": base64.b64encode(image.png).decode(),
            "width": image.width,
            "height": image.height,
            "boxes": image.boxes,
            "pages": image.pages,
        }
    ]


def _edit(order: dict[str, Any], data: bytes, limits: Limits) -> list[dict[str, Any]]:
    """Its stretches; or, if there are changes, the file with these."""
    from archipel.documents.editing.opened import open_editable
    from archipel.documents.editing.stretches import Author, Change

    digest = hashlib.sha256(data).hexdigest()
    if order["digest"] not in (None, digest):
        raise DocumentChanged(f"{order['name']!r} was changed meanwhile. Do it again.")
    file = open_editable(order["name"], data, limits)
    if order["changes"] is None:
        stretches = [{"stretch": stretch.to_json()} for stretch in file.stretches]
        return [*stretches, {"left": [one.to_json() for one in file.left], "digest": digest}]
    changes = {int(number): Change.from_json(one) for number, one in order["changes"].items()}
    author = Author(**order["author"]) if order["author"] else None
    return [{"file": base64.b64encode(file.changed(changes, author)).decode()}]


def _damaged(name: str, error: Exception) -> DocumentCorrupt:
    return DocumentCorrupt(
        f"{name!r} can't be read ({type(error).__name__}: {str(error)[:200]}). It is damaged: "
        "fetch it again, or open and save it in its program."
    )


def _failed(error: ArchipelError) -> dict[str, str]:
    return {"error": type(error).__name__, "message": str(error)}


if __name__ == "__main__":
    main()
