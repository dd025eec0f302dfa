"""The pictures in a chat's messages, decoded here under limits before an engine sees them.

What an engine gets is a PNG of ours: upright, in RGB, on white where it was transparent. So neither
a camera's way of turning pictures nor a file that is meant to harm reaches its decoder.
"""

import base64
import io
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from archipel.errors import DocumentError
from archipel.serve.api_error import ApiError

if TYPE_CHECKING:
    from PIL.Image import Image

_MOST_PICTURES = 10
_MOST_SIDE = 2048  # pixels: more than models look at; ten such are 120 MiB in an engine
_DATA = re.compile(r"data:[^,]{0,100};base64,(.*)", re.DOTALL)


def first_picture(fields: Mapping[str, Any]) -> str | None:
    """Where in a request the first picture is, if there is one."""
    return next((place for place, _ in _pictures(fields)), None)


def with_pictures_read(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The request with each picture as the PNG that the engine is to see.

    Raises:
        ApiError: there are too many, or one is none, damaged, animated or too large.
    """
    found = dict(_pictures(fields))
    if len(found) > _MOST_PICTURES:
        message = f"messages: {len(found)} pictures, and {_MOST_PICTURES} are taken. Send fewer."
        raise ApiError(400, message, "invalid_image", "messages")
    read = {place: _read(place, part) for place, part in found.items()}
    messages = [
        {**message, "content": [read.get(_place(n, at), part) for at, part in _parts(message)]}
        if isinstance(message.get("content"), list)
        else message
        for n, message in enumerate(fields["messages"])
    ]
    return {**fields, "messages": messages}


def decoded(place: str, part: Mapping[str, Any]) -> "Image":
    """The picture of a part, upright, in RGB; `place` says in the request where it is.

    Raises:
        ApiError: it is none, damaged, animated or too large.
    """
    from archipel.images.given import read_given  # brings in Pillow
    from archipel.pictures import on_white

    try:
        return on_white(read_given(_bytes(part)))
    except (DocumentError, ValueError) as error:
        raise ApiError(400, f"{place}: {error}.", "invalid_image", place) from None


def _pictures(fields: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each with its place."""
    for number, message in enumerate(fields.get("messages") or ()):
        for at, part in _parts(message):
            if part.get("type") == "image_url":
                yield _place(number, at), part


def _parts(message: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    content = message.get("content")
    return iter(enumerate(content if isinstance(content, list) else ()))


def _place(message: int, part: int) -> str:
    return f"messages.{message}.content.{part}"


def _read(place: str, part: Mapping[str, Any]) -> dict[str, Any]:
    picture = decoded(place, part)
    picture.thumbnail((_MOST_SIDE, _MOST_SIDE))
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": url}}


def _bytes(part: Mapping[str, Any]) -> bytes:
    """Raises ValueError if they are not given as base64."""
    image = part.get("image_url")
    found = _DATA.fullmatch(str(image.get("url") if isinstance(image, Mapping) else image))
    if found is None:
        raise ValueError("it is no picture in base64. Send data:image/png;base64,…, JPEG or WebP")
    try:
        return base64.b64decode(found[1], validate=True)
    except ValueError as error:
        raise ValueError(f"its base64 is wrong ({error}). Encode the picture again") from None
