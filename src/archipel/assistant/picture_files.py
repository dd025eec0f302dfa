"""What the first bytes of a picture's file tell: its type and its size. Pure.

PNG, JPEG and WebP only: a picture can't hold a program, as SVG can.
"""

from dataclasses import dataclass

from archipel.errors import IntegrityError
from archipel.images.webp import webp_size

_MOST_PIXELS = 50_000_000  # 200 MB where it is drawn
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers that begin with the size


@dataclass(frozen=True)
class PictureFile:
    """Its media type, its width and height in pixels, its bytes."""

    media_type: str
    width: int
    height: int
    data: bytes


def read_picture(data: bytes) -> PictureFile:
    """The picture that a file's bytes are.

    Raises:
        IntegrityError: they are not a picture of a known type, or it has too many pixels.
    """
    readers = {"image/png": _png_size, "image/jpeg": _jpeg_size, "image/webp": webp_size}
    sizes = {media_type: size_of(data) for media_type, size_of in readers.items()}
    known = [PictureFile(kind, *size, data) for kind, size in sizes.items() if size and all(size)]
    if not known:
        begin = data[:12].hex(" ")
        raise IntegrityError(f"this is no PNG, JPEG or WebP (it begins with {begin}). Convert it.")
    [found] = known
    if found.width * found.height > _MOST_PIXELS:
        size = f"{found.width} × {found.height}"
        raise IntegrityError(f"the picture has {size} pixels; that is too many. Make it smaller.")
    return found


def _png_size(data: bytes) -> tuple[int, int] | None:
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or data[12:16] != b"IHDR" or len(data) < 33:
        return None
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            height, width = data[at + 5 : at + 7], data[at + 7 : at + 9]
            return int.from_bytes(width), int.from_bytes(height)
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
    return None
