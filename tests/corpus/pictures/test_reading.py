"""Pictures and captions from folders and zip archives, and from what is meant to do harm."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import Limits, Picture, read_pictures
from archipel.errors import ConfigError
from tests.corpus.pictures.conftest import drawn, write_metadata

Make = Callable[..., Path]
DEFAULT = Limits()


def read(*inputs: Path, limits: Limits = DEFAULT) -> tuple[list[Picture], dict[str, int]]:
    """The pictures, and how many were left out by reason."""
    left_out = LeftOut()
    found = list(read_pictures(list(inputs), 16, left_out, limits=limits))
    return found, left_out.counts


def png(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def header(width: int, height: int) -> bytes:
    """A PNG that says it is so large."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 100)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def test_captions_of_metadata(shapes: Path) -> None:
    found, left_out = read(shapes)
    assert len(found) == 36
    assert not left_out
    by_name = {Path(picture.name).stem: picture for picture in found}
    assert by_name["5"].captions == ("a black disc, Nº 5", "un disque 5")
    assert by_name["5"].held_out is False
    assert by_name["8"].held_out is True
    assert by_name["5"].pixels.shape == (16, 16, 3)
    expected = drawn(3).resize((16, 16), Image.Resampling.LANCZOS)
    assert np.array_equal(by_name["3"].pixels, np.asarray(expected))


def test_captions_beside_one_a_line(folder_of: Make) -> None:
    folder = folder_of(2)
    (folder / "1.txt").write_text("\ufeffun disque\r\n\r\na disc\nun disque\n", "utf-8")
    found, left_out = read(folder)
    assert [picture.captions for picture in found] == [("picture 0",), ("un disque", "a disc")]
    assert found[0].held_out is None
    assert not left_out


def test_metadata_may_say_only_the_split(folder_of: Make) -> None:
    folder = folder_of(2)
    write_metadata(folder, [{"file_name": "1.png", "split": "held_out"}])
    assert [picture.held_out for picture in read(folder)[0]] == [None, True]


def test_a_zip_is_read_as_its_folder(shapes: Path, tmp_path: Path) -> None:
    path = tmp_path / "shapes.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in reversed(sorted(shapes.rglob("*"))):
            archive.write(one, one.relative_to(shapes))
    zipped, folder = read(path)[0], read(shapes)[0]
    assert [one.hash for one in zipped] == [one.hash for one in folder]
    assert [one.captions for one in zipped] == [one.captions for one in folder]


def test_transparent_is_white(folder_of: Make) -> None:
    folder = folder_of(3)
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    clear.save(folder / "0.png")
    clear.save(folder / "1.png", optimize=True)
    clear.quantize(4).save(folder / "2.png")
    for picture in read(folder)[0]:
        assert (picture.pixels == 255).all()


def test_other_modes_of_pictures(folder_of: Make) -> None:
    folder = folder_of(4)
    half = Image.new("L", (20, 20), 128)
    half.save(folder / "0.png")
    Image.fromarray(np.full((20, 20), 128 << 8, np.uint16)).save(folder / "1.png")
    half.convert("LA").save(folder / "2.png")
    (folder / "3.png").unlink()
    half.convert("CMYK").save(folder / "3.jpeg")
    found = read(folder)[0]
    assert len(found) == 4
    for picture in found:
        assert np.abs(picture.pixels.astype(int) - 128).max() <= 1


def test_a_turned_photograph_is_upright(folder_of: Make) -> None:
    folder = folder_of(1)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    lying = Image.new("RGB", (32, 32), "white")
    lying.paste("black", (0, 0, 32, 16))
    (folder / "0.png").unlink()
    lying.save(folder / "0.jpg", exif=exif, quality=95)
    pixels = read(folder)[0][0].pixels
    assert pixels[:, :6].mean() > 245
    assert pixels[:, 10:].mean() < 10


def frames(kind: str) -> bytes:
    file = io.BytesIO()
    drawn(0).save(file, kind, save_all=True, append_images=[drawn(1)], duration=100)
    return file.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>'
DAMAGED = "damaged, or no picture"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("0.png", header(100_000, 100_000), "over 64 megapixels"),
        ("0.png", header(10_000, 6_401), "over 64 megapixels"),
        ("0.png", header(9_500, 9_500), "over 64 megapixels"),
        ("0.png", header(10_000, 10), DAMAGED),
        ("0.png", frames("PNG"), "animated"),
        ("0.webp", frames("WEBP"), "animated"),
        ("0.svg", SVG, "of a kind that is not read"),
        ("0.gif", frames("GIF"), "of a kind that is not read"),
        ("0.png", SVG, DAMAGED),
        ("0.png", frames("GIF"), DAMAGED),
        ("0.png", b"", DAMAGED),
        ("0.JPG", b"\xff\xd8\xff\xe0 and no more", DAMAGED),
        ("0.png", png(drawn(0))[:-40], DAMAGED),
        ("0.png", png(drawn(0)).replace(b"IDAT", b"IDAX"), DAMAGED),
    ],
)
def test_a_bad_picture_is_left_out(
    folder_of: Make, name: str, data: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = folder_of(3)
    (folder / "0.png").unlink()
    (folder / name).write_bytes(data)
    found, left_out = read(folder)
    assert [Path(picture.name).name for picture in found] == ["1.png", "2.png"]
    assert left_out == {reason: 1}
    assert f"{folder / name} is left out: {reason}" in caplog.text


def test_damage_anywhere_leaves_a_picture_out_or_is_not_seen(tmp_path: Path) -> None:
    dice = np.random.default_rng(5)
    for kind in ("PNG", "JPEG", "WEBP"):
        file = io.BytesIO()
        drawn(7).save(file, kind)
        for number in range(60):
            data = bytearray(file.getvalue())
            for place in dice.integers(0, len(data), 3):
                data[place] = dice.integers(0, 256)
            if number % 3 == 0:
                del data[dice.integers(1, len(data)) :]
            (tmp_path / f"{kind}{number}.{kind.lower()}").write_bytes(data)
            (tmp_path / f"{kind}{number}.txt").write_text("a disc")
    found, left_out = read(tmp_path)
    assert len(found) + sum(left_out.values()) == 180
    assert left_out[DAMAGED] > 60


def test_a_picture_needs_a_caption(folder_of: Make) -> None:
    folder = folder_of(8)
    (folder / "0.txt").unlink()
    (folder / "1.txt").write_text(" \n\n")
    (folder / "2.txt").write_bytes(b"\xff\xfe\xfa")
    write_metadata(
        folder,
        [
            {"file_name": "3.png", "text": ""},
            {"file_name": "4.png", "text": ["", "kept"]},
            {"file_name": "../secret.png", "text": "outside"},
            {"file_name": "gone.png", "text": "gone"},
        ],
    )
    found, left_out = read(folder)
    assert [picture.captions for picture in found] == [
        ("kept",),
        *((f"picture {number}",) for number in (5, 6, 7)),
    ]
    assert left_out == {
        "without a caption": 1,
        "with an empty caption": 2,
        "whose caption is not UTF-8": 1,
        "of metadata.jsonl, of a picture that is not there": 2,
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2, is not JSON"),
        ("[" * 100_000, "line 2, is not JSON"),
        ("[]", 'line 2: there is no "file_name"'),
        ('{"text": "a"}', 'line 2: there is no "file_name"'),
        ('{"file_name": "0.png", "text": 7}', 'line 2: "text" is neither'),
        ('{"file_name": "0.png", "text": ["a", null]}', 'line 2: "text" is neither'),
        ('{"file_name": "0.png", "split": "test"}', "line 2: the split 'test' is unknown"),
        ('{"file_name": "0.png", "split": ["train"]}', "line 2: the split .* is unknown"),
        ('{"file_name": "0.png", "split": "train"}', "in another split before"),
    ],
)
def test_metadata_that_makes_no_sense_stops_the_reading(
    folder_of: Make, line: str, message: str
) -> None:
    folder = folder_of(1)
    first = json.dumps({"file_name": "0.png", "text": "a disc", "split": "held_out"})
    (folder / "metadata.jsonl").write_text(f"{first}\n{line}\n")
    with pytest.raises(ConfigError, match=message):
        read(folder)


def test_half_a_surrogate_is_no_text(folder_of: Make) -> None:
    folder = folder_of(1)
    (folder / "metadata.jsonl").write_text('{"file_name": "0.png", "text": "a \\ud800 disc"}')
    assert read(folder)[0][0].captions == ("a ? disc",)


def test_a_hostile_zip(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "hostile.zip"
    good = png(drawn(1))
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("good.png", "../up.png", "/root.png", "a/../../b.png", "c:\\x.png"):
            archive.writestr(name, good)
        archive.writestr("bz.png", good, zipfile.ZIP_BZIP2)
        archive.writestr("\x1b[2J.png", good)
        archive.writestr("__MACOSX/._good.png", b"shadow")
        archive.writestr("good.txt", "a disc")
    found, left_out = read(path)
    assert [(picture.name, picture.captions) for picture in found] == [
        (f"{path}: good.png", ("a disc",))
    ]
    assert left_out == {
        "with a path that leaves the zip": 4,
        "encrypted, or compressed by other means than deflate": 1,
        "without a caption": 1,
    }
    assert "\x1b" not in caplog.text
    assert not list(tmp_path.parent.glob("*.png"))


def test_a_zip_whose_bytes_are_not_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "crc.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("crc.png", png(drawn(1)) + b"CRCCRC")
        archive.writestr("crc.txt", "a disc")
    path.write_bytes(path.read_bytes().replace(b"CRCCRC", b"CRCCRA"))
    assert read(path) == ([], {"that can't be read": 1})


def test_what_is_too_large_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a", "b", "c"):
            archive.writestr(f"{name}.txt", "a disc")
        archive.writestr("a.png", png(drawn(1)))
        archive.writestr("b.png", b"\0" * 3_000_000)
        archive.writestr("c.png", png(drawn(2)))
    limits = Limits(file_bytes=1 << 20, zip_bytes=2_000_000)
    found, left_out = read(path, limits=limits)
    assert [picture.name for picture in found] == [f"{path}: a.png"]
    assert left_out == {"beyond the 2,000,000 bytes of a zip": 2}
    found, left_out = read(path, limits=Limits(file_bytes=1 << 20))
    assert [picture.name for picture in found] == [f"{path}: a.png", f"{path}: c.png"]
    assert left_out == {"over 1 MiB": 1}


def test_inputs_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK and no more")
    (tmp_path / "a.png").write_bytes(png(drawn(1)))
    for name, message in (
        ("a.zip", "unreadable or damaged"),
        ("a.png", "no folder of pictures"),
        ("none", "does not exist"),
    ):
        with pytest.raises(ConfigError, match=message):
            read(tmp_path / name)
