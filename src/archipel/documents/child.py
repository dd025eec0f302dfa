"""Run as a child process: reads one document, draws a page or changes it, within limits of its own.

Takes an order, a line of JSON, from standard input; writes blocks, a picture, stretches or the
changed file as lines of JSON to standard output, then a line that says how it ended. Apart, because
a file may crash its library.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from archipel.documents.blocks import Limits
from archipel.documents.collector import too_large
from archipel.documents.confined import answers_out, confine, outcome
from archipel.documents.formats.inside import collect
from archipel.documents.pages import PlaceOnPage
from archipel.errors import DocumentChanged


def main() -> None:
    """Follow the order on standard input."""
    answers = answers_out()
    order = json.loads(sys.stdin.readline())
    limits = Limits(**order["limits"])
    confine(limits, limits.cpu_seconds)
    for line in outcome(order["name"], limits, lambda: _followed(order, limits)):
        answers.write(json.dumps(line, ensure_ascii=False) + "\n")
    answers.close()


def _followed(order: dict[str, Any], limits: Limits) -> list[dict[str, Any]]:
    data = _bytes(order, limits)
    if "place" in order:
        return _draw(order, data)
    if "changes" in order:
        return _edit(order, data, limits)
    return _read(order["name"], data, limits)


def _bytes(order: dict[str, Any], limits: Limits) -> bytes:
    with Path(order["path"]).open("rb") as file:
        data = file.read(limits.input_bytes + 1)
    if len(data) > limits.input_bytes:  # it grew since it was measured, or is no file
        raise too_large(order["name"], f"{limits.input_bytes:,} bytes")
    return data


def _read(name: str, data: bytes, limits: Limits) -> list[dict[str, Any]]:
    document = collect(name, data, limits)
    end = {
        "title": document.title or Path(name).stem,
        "language": document.language,
        "unread": [unread.to_json() for unread in document.unread],
    }
    return [*({"block": block.to_json()} for block in document.blocks), {"document": end}]


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


if __name__ == "__main__":
    main()
