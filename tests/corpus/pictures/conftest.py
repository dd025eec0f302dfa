"""Small pictures, drawn here: discs and bars in colours, with captions that say so."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

COLOURS = ("red", "green", "blue", "orange", "purple", "black")
SUFFIXES = (".png", ".jpg", ".webp")


def drawn(number: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A disc and a bar, different for each number."""
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    x, y = number * 7 % 23, number * 5 % 17
    pen.ellipse((x, y, x + 12, y + 12), fill=COLOURS[number % 6])
    pen.rectangle((y, x, y + 20, x + 3), fill=COLOURS[number // 6 % 6])
    return picture


def write_metadata(folder: Path, records: Iterable[dict[str, object]]) -> None:
    """`metadata.jsonl` of Hugging Face's ImageFolder."""
    lines = [json.dumps(record) + "\n" for record in records]
    (folder / "metadata.jsonl").write_text("".join(lines), "utf-8")


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 pictures below a folder, of three kinds of file, each with two captions; one in four is
    held out."""
    folder = tmp_path_factory.mktemp("shapes")
    (folder / "more").mkdir()
    records: list[dict[str, object]] = []
    for number in range(36):
        name = f"{'more/' if number % 2 else ''}{number}{SUFFIXES[number % 3]}"
        drawn(number).save(folder / name)
        records.append(
            {
                "file_name": name,
                "text": [f"a {COLOURS[number % 6]} disc, Nº {number}", f"un disque {number}"],
                "split": "train" if number % 4 else "held_out",
            }
        )
    write_metadata(folder, records)
    return folder


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of good pictures 0 to `count` - 1, each with a .txt beside it."""

    def make(count: int = 4) -> Path:
        folder = tmp_path / "pictures"
        folder.mkdir()
        for number in range(count):
            drawn(number).save(folder / f"{number}.png")
            (folder / f"{number}.txt").write_text(f"picture {number}\n")
        return folder

    return make
