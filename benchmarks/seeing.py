"""How well small networks name emoji in a style that they never saw, and what a teacher gives.

As `emoji-vision` teaches eyes: convolutions learn to tell all things of two styles apart; the
vision transformer alone; and the vision transformer once more, from what the convolutions say of
each picture. What they name of the third style is told after every few passes. No questions, no
words: docs/decisions/0020.

    python -m benchmarks.seeing emoji72.zip
"""

import argparse
import tempfile
from pathlib import Path

import torch
from transformers import SiglipVisionConfig

from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import read_pictures
from archipel.corpus.pictures.emoji import EmojiOptions, write_emoji
from archipel.images.naming import Convolutions, Namer, Tower
from archipel.images.seeing_sizes import SIZES, sight_config
from archipel.train.eyes import (
    Course,
    Shown,
    by_labels,
    by_teacher,
    learn,
    named_share,
    shown,
    thing,
)

_PIXELS = 32  # of a side
_TOLD = 10  # passes between two measurements


def read_emoji(archive: Path) -> tuple[Shown, Shown]:
    """All emoji in two styles, which are learnt, and the same things in the third."""
    with tempfile.TemporaryDirectory() as kept:
        write_emoji(archive, Path(kept), EmojiOptions(held_out_style="noto"))
        found = list(read_pictures([Path(kept)], _PIXELS, LeftOut()))
    learnt = [one for one in found if not one.held_out]
    names = sorted({thing(one) for one in learnt})
    return shown(learnt, names), shown([one for one in found if one.held_out], names)


def train(name: str, course: Course, lessons: Shown, unseen: Shown) -> None:
    """Train, and print the share of either part that is named, now and then."""
    minutes = 0.0
    for done, seconds in learn(course, lessons):
        minutes += seconds / 60
        if done % _TOLD == 0:
            print(
                f"{name:20} {done:3} passes {minutes:6.1f} min  "
                f"unseen style {named_share(course.model, unseen):.3f}  "
                f"learnt {named_share(course.model, lessons):.3f}",
                flush=True,
            )


def main() -> None:
    """Train all three, one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    parser.add_argument("--passes", type=int, default=110, help="of the convolutions")
    parser.add_argument("--transformer-passes", type=int, default=230)
    options = parser.parse_args()
    torch.manual_seed(0)
    lessons, unseen = read_emoji(options.archive)
    things = int(lessons.things.max()) + 1
    config: SiglipVisionConfig = sight_config(SIZES["vision-nano"], _PIXELS)
    teacher, alone, taught = (
        Namer(features, things) for features in (Convolutions(), Tower(config), Tower(config))
    )
    many = options.transformer_passes
    for name, course in (
        ("convolutions", Course(teacher, by_labels(teacher), options.passes, 128)),
        ("transformer", Course(alone, by_labels(alone), many, 64)),
        ("transformer, taught", Course(taught, by_teacher(taught, teacher), many, 64)),
    ):
        train(name, course, lessons, unseen)


if __name__ == "__main__":
    main()
