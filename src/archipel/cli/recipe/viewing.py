"""A recipe of pictures that are looked at: what its model says of those in a style that it never
saw."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

from PIL import Image, ImageDraw

from archipel.cli.eyes import shown_on, teach_eyes, told
from archipel.cli.recipe.gallery import Gallery
from archipel.cli.recipe.table import Sighted
from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import Picture, read_pictures
from archipel.corpus.pictures.emoji import GROUPED, NAMED
from archipel.files import read_json
from archipel.images.viewer import Viewer, open_viewer
from archipel.pictures import on_white
from archipel.train.eyes import Schooling

_SHOWN, _COLUMNS = 24, 6  # pictures on the contact sheet
_TILE, _CAPTION = 150, 34  # its pixels
_SHEET = "Pictures in the style that was held out, what they show, and what was answered in English"


@dataclass(frozen=True, kw_only=True)
class Viewing(Gallery):
    """Of a model that sees, asked through transformers."""

    recipe: Sighted
    gguf: ClassVar[str | None] = "f16"

    def start(self) -> str:
        """A model of the recipe's size whose eyes are taught before anything is asked."""
        folder, recipe = self.out / "start", self.recipe
        if not folder.exists():
            pictures = list(read_pictures([self.material], recipe.corpus.size, LeftOut()))
            first, then = recipe.passes
            schooling = Schooling(teacher_passes=first, passes=then)
            with shown_on(self.console) as show:
                teach_eyes(recipe.model, self.corpus, pictures, schooling, folder, show)
        return str(folder)

    def finish(self, beside: Path | None) -> None:
        """As `Gallery.finish`: ask about pictures that were held out, and about learnt ones."""
        single = read_json(beside) if beside else None  # a wrong path is told now
        pictures = list(read_pictures([self.material], self.recipe.corpus.size, LeftOut()))
        dice, most = random.Random(self.recipe.material.seed), self.recipe.asked
        hidden, learnt = (
            dice.sample(some, min(most, len(some)))
            for some in (
                [one for one in pictures if one.held_out],
                [one for one in pictures if not one.held_out],
            )
        )
        with self.console.status("asking"):
            viewer = open_viewer(self.model)
            said = {way: _answers(viewer, hidden, question) for way, question in NAMED.items()}
            groups = _answers(viewer, hidden, GROUPED["en"])
            found: dict[str, Any] = {
                f"named_top1_share_{way}": _right(hidden, NAMED[way], said[way]) for way in NAMED
            }
            found["grouped_share"] = _right(hidden, GROUPED["en"], groups)
            for way, question in NAMED.items():
                answers = _answers(viewer, learnt, question)
                found[f"named_learnt_share_{way}"] = _right(learnt, question, answers)
            found.update(read_json(told(Path(self.start()))))
            found["prompts"] = len(hidden)
            found["seconds_per_answer"] = _seconds(viewer, hidden)
        _sheet(hidden[:_SHOWN], said["en"], self.out / "sheet.png")
        self.report(found, single, _SHEET)


def _answers(viewer: Viewer, pictures: Sequence[Picture], question: str) -> list[str]:
    return [viewer.answer(_whole(one), question) for one in pictures]


def _whole(picture: Picture) -> Image.Image:
    """It as it lies in the folder."""
    with Image.open(picture.name) as found:
        return on_white(found)


def _right(pictures: Sequence[Picture], question: str, answers: Sequence[str]) -> float:
    """The share that is answered as the material has it, of those that it answers."""
    marks = [
        answer.strip().lower() == wanted.strip().lower()
        for picture, answer in zip(pictures, answers, strict=True)
        for wanted in _wanted(picture, question)
    ]
    return round(sum(marks) / max(1, len(marks)), 4)


def _wanted(picture: Picture, question: str) -> Iterator[str]:
    return (one.answer for one in picture.asked if one.question == question)


def _seconds(viewer: Viewer, pictures: Sequence[Picture]) -> float:
    """Of a question alone, a median."""
    took = []
    for picture in pictures[:20]:
        shown, began = _whole(picture), time.perf_counter()
        viewer.answer(shown, NAMED["en"])
        took.append(time.perf_counter() - began)
    return round(median(took), 3)


def _sheet(pictures: Sequence[Picture], answers: Sequence[str], path: Path) -> None:
    rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _TILE, rows * (_TILE + _CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (picture, answer) in enumerate(zip(pictures, answers, strict=False)):
        row, column = divmod(number, _COLUMNS)
        left, top = column * _TILE, row * (_TILE + _CAPTION)
        shown = _whole(picture)
        sheet.paste(shown, (left + (_TILE - shown.width) // 2, top + _TILE // 4))
        [wanted] = _wanted(picture, NAMED["en"])
        right = answer.strip().lower() == wanted.lower()
        draw.text((left + 4, top + _TILE - 8), wanted[:24], "grey")
        draw.text((left + 4, top + _TILE + 6), answer[:24], "green" if right else "red")
    sheet.save(path)
