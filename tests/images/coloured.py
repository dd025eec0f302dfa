"""A corpus of small pictures: discs and bars in four colours, with captions in two languages."""

import json
from pathlib import Path

from PIL import Image, ImageDraw

from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import PictureOptions, build_picture_corpus

SIDE = 16
COLOURS = {"red": "rouge", "green": "vert", "blue": "bleu", "black": "noir"}
SHAPES = {"disc": "disque", "bar": "barre"}
RGB = {"red": (220, 20, 20), "green": (20, 160, 40), "blue": (30, 40, 220), "black": (10, 10, 10)}


def write_pictures(folder: Path, places: int = 3) -> None:
    """Each at some places and in as many greys of the ground, the last held out, and what is said
    of them."""
    folder.mkdir()
    lines = []
    for colour, couleur in COLOURS.items():
        for shape, forme in SHAPES.items():
            for number in range(places):
                name = f"{colour}-{shape}-{number}.png"
                picture = Image.new("RGB", (SIDE, SIDE), (255, 255, 255 - number // 3))
                draw = ImageDraw.Draw(picture)
                if shape == "disc":
                    draw.ellipse((2 + number % 3, 2, 12 + number % 3, 12), RGB[colour])
                else:
                    draw.rectangle((1, 5 + number % 3, 14, 8 + number % 3), RGB[colour])
                picture.save(folder / name)
                text = [f"{colour} {shape}", f"{forme} {couleur}"]
                split = "held_out" if number == places - 1 else "train"
                lines.append(json.dumps({"file_name": name, "text": text, "split": split}))
    (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")


def build(folder: Path, out: Path) -> None:
    options = PictureOptions(size=SIDE, values=12, caption_tokens=6, vocab_size=300)
    build_picture_corpus([folder], out, options, LeftOut())
