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
from archipel.images.webp import is_webp, webp_size

_FORMATS = ("PNG", "JPEG", "WEBP")
_SEND = "Send a PNG, a JPEG or a WebP"
_MOST_BYTES = 20 << 20
_MOST_SIDE = 8192
_MOST_PIXELS = 16 << 20
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


def read_given(data: bytes) -> Image.Image:
    """The one picture that `data`, a PNG, a JPEG or a WebP, holds, upright, in memory.

    Raises:
        DocumentEmpty: there is nothing.
        DocumentUnsupported: it is another format, SVG for one, or several pictures.
        DocumentTooLarge: it has over 20 MiB, 16 Mi pixels or 8,192 pixels a side.
        DocumentCorrupt: it is damaged.
    """
    if not data:
        raise DocumentEmpty(f"the file is empty. {_SEND}")
    if len(data) > _MOST_BYTES:
        raise DocumentTooLarge(
            f"the picture has {len(data)} bytes, and {_MOST_BYTES} are taken. Send a smaller one"
        )
    # Pillow has a WebP's decoder make room for its pixels as soon as it is opened.
    _check_size(webp_size(data) or (0, 0))
    image = _opened(data)
    _check_size(image.size)
    # A camera's JPEG may have a preview behind it, which is no animation.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise DocumentUnsupported("the picture is animated. Send one with a single frame")
    try:
        image.load()
        return ImageOps.exif_transpose(image)
    except _BROKEN as error:
        raise _damaged(error) from error


def media_type_of(data: bytes) -> str:
    """Of a file that `read_given` has read."""
    if is_webp(data):
        return "image/webp"
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if max(width, height) > _MOST_SIDE or width * height > _MOST_PIXELS:
        raise _too_many_pixels(f"{width}x{height} pixels")


def _opened(data: bytes) -> Image.Image:
    """Its head only."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=_FORMATS)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _too_many_pixels("far more pixels than can be decoded") from error
    except _BROKEN as error:
        if is_webp(data):
            raise _damaged(error) from error
        is_svg = data.lstrip()[:5] in (b"<svg ", b"<?xml", b"<!DOC")
        kind = "SVG, which is a drawing of lines" if is_svg else "neither PNG nor JPEG nor WebP"
        raise DocumentUnsupported(f"the file is {kind}. {_SEND}") from error


def _damaged(error: Exception) -> DocumentCorrupt:
    return DocumentCorrupt(f"the picture is damaged ({error}). Send it again")


def _too_many_pixels(found: str) -> DocumentTooLarge:
    return DocumentTooLarge(
        f"the picture has {found}; {_MOST_PIXELS} in all and {_MOST_SIDE} a side are taken. "
        "Send a smaller one"
    )
