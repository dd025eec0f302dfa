"""Pictures that people send: what is refused before it is decoded."""

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from archipel.errors import (
    DocumentCorrupt,
    DocumentEmpty,
    DocumentError,
    DocumentTooLarge,
    DocumentUnsupported,
)
from archipel.images.given import read_given


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says that it is so large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checked = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checked

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def webp_bomb(width: int, height: int) -> bytes:
    """A WebP of 30 bytes that says that it is so large."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + sides
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def animated(kind: str = "PNG") -> bytes:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


def test_a_picture_is_read_upright() -> None:
    image = Image.new("RGB", (20, 10), "red")
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter to the right
    assert read_given(saved(image)).size == (20, 10)
    assert read_given(saved(image, "JPEG", exif=turned)).size == (10, 20)
    assert read_given(saved(image, "WEBP", exif=turned)).size == (10, 20)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"xmp": b"<x/>"}])
def test_a_webp_is_read_whichever_way_it_is_written(mode: str, options: dict[str, object]) -> None:
    image = Image.new(mode, (21, 10), "red")
    read = read_given(saved(image, "WEBP", **options))
    assert (read.size, read.getpixel((20, 9))[0] > 250) == ((21, 10), True)  # type: ignore[index]


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: b"", DocumentEmpty, "empty"),
        (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", DocumentUnsupported, "SVG"),
        (lambda: b"  <?xml version='1.0'?><svg/>", DocumentUnsupported, "SVG"),
        (lambda: b"not a picture", DocumentUnsupported, "neither PNG nor JPEG nor WebP"),
        (lambda: saved(Image.new("P", (2, 2)), "GIF"), DocumentUnsupported, "neither"),
        (animated, DocumentUnsupported, "animated"),
        (lambda: animated("WEBP"), DocumentUnsupported, "animated"),
        (lambda: b"RIFF\x24\0\0\0WAVEfmt " + bytes(28), DocumentUnsupported, "neither"),
        (lambda: bomb(5000, 4000), DocumentTooLarge, "5000x4000"),
        (lambda: bomb(10_000, 10_000), DocumentTooLarge, "pixels"),  # of which Pillow warns
        (lambda: bomb(60_000, 60_000), DocumentTooLarge, "pixels"),  # which Pillow refuses
        (lambda: bomb(8200, 8), DocumentTooLarge, "8200x8"),
        (lambda: webp_bomb(5000, 4000), DocumentTooLarge, "5000x4000"),
        (lambda: webp_bomb(8200, 8), DocumentTooLarge, "8200x8"),
        (lambda: webp_bomb(1 << 24, 1 << 24), DocumentTooLarge, "pixels"),
        (lambda: b"RIFF0000WEBP" + bytes(21 << 20), DocumentTooLarge, "bytes"),
        (lambda: b"\x89PNG" + bytes(21 << 20), DocumentTooLarge, "bytes"),
        (lambda: bomb(8, 8), DocumentCorrupt, "damaged"),
        (lambda: saved(Image.effect_noise((64, 64), 9), "PNG")[:900], DocumentCorrupt, "damaged"),
        (lambda: webp_bomb(8, 8), DocumentCorrupt, "damaged"),
        (lambda: saved(Image.effect_noise((64, 64), 9), "WEBP")[:90], DocumentCorrupt, "damaged"),
    ],
)
def test_what_is_no_picture_to_begin_from_is_refused(
    make: Callable[[], bytes], error: type[DocumentError], said: str
) -> None:
    with pytest.raises(error, match=said):
        read_given(make())
