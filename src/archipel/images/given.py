"""A picture that somebody sends, looked at before it is decoded: it may be meant to fill memory."""

import io
import struct
import warnings
import zlib

from PIL import Image, ImageOps

from archipel.errors import (
    DocumentCorrupt,
    DocumentEmpty,
    DocumentTooLarge,
    DocumentUnsupported,
)

_FORMATS = ("PNG", "JPEG")
_MOST_BYTES = 20 << 20
_MOST_SIDE = 8192
_MOST_PIXELS = 16 << 20
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


def read_given(data: bytes) -> Image.Image:
    """The one picture that `data`, a PNG or a JPEG, holds, upright, in memory.

    Raises:
        DocumentEmpty: there is nothing.
        DocumentUnsupported: it is another format, SVG for one, or several pictures.
        DocumentTooLarge: it has over 20 MiB, 16 Mi pixels or 8,192 pixels a side.
        DocumentCorrupt: it is damaged.
    """
    if not data:
        raise DocumentEmpty("the file is empty. Send a PNG or a JPEG")
    if len(data) > _MOST_BYTES:
        raise DocumentTooLarge(
            f"the picture has {len(data)} bytes, and {_MOST_BYTES} are taken. Send a smaller one"
        )
    image = _opened(data)
    width, height = image.size
    if max(width, height) > _MOST_SIDE or width * height > _MOST_PIXELS:
        raise _too_many_pixels(f"{width}x{height} pixels")
    # A camera's JPEG may have a preview behind it, which is no animation.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise DocumentUnsupported("the picture is animated. Send one with a single frame")
    try:
        image.load()
        return ImageOps.exif_transpose(image)
    except _BROKEN as error:
        raise DocumentCorrupt(f"the picture is damaged ({error}). Send it again") from error


def _opened(data: bytes) -> Image.Image:
    """Its head only."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=_FORMATS)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _too_many_pixels("far more pixels than can be decoded") from error
    except _BROKEN as error:
        is_svg = data.lstrip()[:5] in (b"<svg ", b"<?xml", b"<!DOC")
        kind = "SVG, which is a drawing of lines" if is_svg else "neither a PNG nor a JPEG"
        raise DocumentUnsupported(f"the file is {kind}. Send a PNG or a JPEG") from error


def _too_many_pixels(found: str) -> DocumentTooLarge:
    return DocumentTooLarge(
        f"the picture has {found}; {_MOST_PIXELS} in all and {_MOST_SIDE} a side are taken. "
        "Send a smaller one"
    )
