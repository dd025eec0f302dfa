"""Bytes of a picture, from anywhere, to a square of pixels. Knows nothing about files."""

import io
import struct
import warnings
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from archipel.pictures import on_white

_FORMATS = ("PNG", "JPEG", "WEBP")  # no other decoder of Pillow's sees what comes from anywhere
# What Pillow's decoders raise for bytes that are not what they should be.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    struct.error,
    zlib.error,
)


class UnusablePicture(Exception):
    """It can't be learnt from; the message is the reason, the same for all of its kind."""


def decoded(data: bytes, most_pixels: int) -> Image.Image:
    """A picture in RGB, upright, on white where it is transparent.

    Raises:
        UnusablePicture: it is none, damaged or animated, or by its header has more pixels.
    """
    too_large = UnusablePicture(f"over {most_pixels / 1e6:g} megapixels")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of what it makes the best of
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                if picture.width * picture.height > most_pixels:
                    raise too_large
                # A camera's JPEG may have a preview behind it, which is no animation.
                if picture.format != "MPO" and getattr(picture, "is_animated", False):
                    raise UnusablePicture("animated")
                return on_white(ImageOps.exif_transpose(picture))
        except Image.DecompressionBombError:
            raise too_large from None
        except _BROKEN as error:
            raise UnusablePicture("damaged, or no picture") from error


def squared(picture: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """It in a square of `size` pixels, [size, size, 3], by Lanczos's filter."""
    return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS))
