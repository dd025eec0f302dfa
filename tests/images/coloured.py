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


def write_pictures(folder: Path) -> None:
    """Three of each, a little apart, and what is said of them."""
    folder.mkdir()
    lines = []
    for colour, couleur in COLOURS.items():
        for shape, forme in SHAPES.items():
            for number in range(3):
                name = f"{colour}-{shape}-{number}.png"
                picture = Image.new("RGB", (SIDE, SIDE), "white")
                draw = ImageDraw.Draw(picture)
                if shape == "disc":
                    draw.ellipse((2 + number, 2, 12 + number, 12), RGB[colour])
                else:
                    draw.rectangle((1, 5 + number, 14, 8 + number), RGB[colour])
                picture.save(folder / name)
                text = [f"{colour} {shape}", f"{forme} {couleur}"]
                split = "held_out" if number == 2 else "train"
                lines.append(json.dumps({"file_name": name, "text": text, "split": split}))
    (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")


def build(folder: Path, out: Path) -> None:
    options = PictureOptions(size=SIDE, values=12, caption_tokens=6, vocab_size=300)
    build_picture_corpus([folder], out, options, LeftOut())
