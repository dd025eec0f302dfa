"""How well small networks name emoji in a style that they never saw, and what a teacher gives.

A residual convolutional network and the vision transformer of `vision-nano` learn to tell all
things of two styles apart, from pictures changed as `emoji-vision` changes them; then the
transformer once more, from what the first says of each picture. What they name of the third style
is told after every few passes. No questions, no words: docs/decisions/0020.

    python -m benchmarks.seeing emoji72.zip
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, normalize, relu, softmax
from transformers import SiglipVisionConfig, SiglipVisionModel

from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import read_pictures
from archipel.corpus.pictures.emoji import NAMED, EmojiOptions, write_emoji
from archipel.images.seeing import varied
from archipel.images.seeing_sizes import SIZES
from archipel.models.precision import autocast
from archipel.train.muon import Muon

_SIDE = 32  # pixels
_WIDTHS = (48, 96, 192, 384)  # of the residual network's stages
_TOLD = 5  # passes between two measurements
_WARM_STEPS = 100
_SMOOTHING = 0.1
_FROM_TEACHER = 0.7  # of the loss; the rest is from the labels


@dataclass(frozen=True)
class Emoji:
    """Pictures, fp32 [N, 3, side, side] in -1..1, and which thing each shows, int64 [N]; `seen` are
    those to learn from."""

    pictures: torch.Tensor
    things: torch.Tensor
    seen: torch.Tensor


def read_emoji(archive: Path) -> Emoji:
    """All emoji that two styles have, with those of the third."""
    with tempfile.TemporaryDirectory() as kept:
        write_emoji(archive, Path(kept), EmojiOptions(held_out_style="noto"))
        found = list(read_pictures([Path(kept)], _SIDE, LeftOut()))
    names = [next(a.answer for a in one.asked if a.question == NAMED["en"]) for one in found]
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    pixels = torch.from_numpy(np.stack([one.pixels for one in found])).permute(0, 3, 1, 2)
    return Emoji(
        pixels.float() / 127.5 - 1,
        torch.tensor([number[name] for name in names]),
        torch.tensor([not one.held_out for one in found]),
    )


class _Block(nn.Module):
    """Two convolutions beside a way around them (He et al. 2015, arXiv 1512.03385), at half the
    side."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, 2, 1, bias=False)
        self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.around = nn.Conv2d(inside, outside, 1, 2, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outside) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second, around = self.norms
        x, skipped = relu(first(self.first(x))), around(self.around(x))
        return relu(skipped + second(self.second(x)))


class Convolutions(nn.Sequential):
    """Pictures to features [B, width]."""

    width = _WIDTHS[-1]

    def __init__(self) -> None:
        first = _WIDTHS[0]
        stem = [nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU()]
        blocks = [_Block(*widths) for widths in itertools.pairwise(_WIDTHS)]
        super().__init__(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Transformer(nn.Module):
    """The same by the vision transformer of `vision-nano`."""

    def __init__(self) -> None:
        super().__init__()
        size = SIZES["vision-nano"]
        self.width = size.hidden
        config = SiglipVisionConfig(
            vision_use_head=False,
            hidden_size=size.hidden,
            intermediate_size=4 * size.hidden,
            num_hidden_layers=size.layers,
            num_attention_heads=size.hidden // 64,
            image_size=_SIDE,
            patch_size=_SIDE // size.side,
        )
        self.tower = SiglipVisionModel(config)
        self.tower.set_attn_implementation("eager")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.tower(pixel_values=x).last_hidden_state
        return found.mean(1)


class Namer(nn.Module):
    """Features compared with a direction for each thing: logits [B, things]."""

    def __init__(self, features: Convolutions | Transformer, things: int) -> None:
        super().__init__()
        self.features = features
        self.directions = nn.Parameter(torch.randn(things, features.width) / features.width**0.5)
        self.sharpness = nn.Parameter(torch.tensor(3.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with autocast(x.device):
            found = self.features(x).float()
        near = normalize(found, dim=1) @ normalize(self.directions, dim=1).T
        return self.sharpness.exp() * near


def learn(
    name: str, model: Namer, emoji: Emoji, passes: int, batch: int, teacher: Namer | None
) -> None:
    """Train, and print the share of either part that is named, now and then."""
    optimisers, order = _optimisers(model), _batches(emoji, batch)
    each = int(emoji.seen.sum()) // batch
    began, steps = time.monotonic(), passes * each
    for step in range(steps):
        at = next(order)
        shown = varied(emoji.pictures[at])
        logits, things = model(shown), emoji.things[at]
        if teacher:
            with torch.no_grad():
                wanted = softmax(teacher(shown), 1)
            told = kl_div(log_softmax(logits, 1), wanted, reduction="batchmean")
            loss = _FROM_TEACHER * told + (1 - _FROM_TEACHER) * cross_entropy(logits, things)
        else:
            loss = cross_entropy(logits, things, label_smoothing=_SMOOTHING)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        rate = min(1, (step + 1) / _WARM_STEPS) * min(1, 2 * (steps - step) / steps)
        for optimiser, usual in optimisers:
            optimiser.param_groups[0]["lr"] = usual * rate
            optimiser.step()
            optimiser.zero_grad()
        if (step + 1) % (_TOLD * each) == 0:
            unseen, seen = (_named(model, emoji, part) for part in (~emoji.seen, emoji.seen))
            took = (time.monotonic() - began) / 60
            print(
                f"{name:24} {(step + 1) // each:3} passes {took:6.1f} min  "
                f"unseen style {unseen:.3f}  learnt {seen:.3f}",
                flush=True,
            )


def _optimisers(model: Namer) -> list[tuple[torch.optim.Optimizer, float]]:
    """Each with its rate: Muon for a transformer's matrices, AdamW for all else."""
    is_tower = isinstance(model.features, Transformer)
    own = [
        p
        for name, p in model.features.named_parameters()
        if is_tower and p.ndim == 2 and "position" not in name
    ]
    rest = [p for p in model.parameters() if all(p is not one for one in own)]
    found: list[tuple[torch.optim.Optimizer, float]] = [
        (torch.optim.AdamW(rest, weight_decay=0.05), 2e-3)
    ]
    return [*found, (Muon(own, lr=4e-3, weight_decay=0.05), 4e-3)] if own else found


def _batches(emoji: Emoji, batch: int) -> Iterator[torch.Tensor]:
    places = emoji.seen.nonzero()[:, 0]
    while True:
        whole = places[torch.randperm(len(places))]
        yield from whole[: len(whole) // batch * batch].split(batch)


@torch.no_grad()
def _named(model: Namer, emoji: Emoji, part: torch.Tensor) -> float:
    model.eval()
    pictures, things = emoji.pictures[part], emoji.things[part]
    said = torch.cat([model(some).argmax(1) for some in pictures.split(256)])
    model.train()
    return float((said == things).float().mean())


def main() -> None:
    """Train all three, one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    parser.add_argument("--passes", type=int, default=25, help="of the convolutions")
    parser.add_argument("--transformer-passes", type=int, default=30)
    options = parser.parse_args()
    torch.manual_seed(0)
    emoji = read_emoji(options.archive)
    things = int(emoji.things.max()) + 1
    teacher = Namer(Convolutions(), things)
    learn("convolutions", teacher, emoji, options.passes, 128, None)
    for name, who in (("transformer", None), ("transformer, taught", teacher.eval())):
        alone = Namer(Transformer(), things)
        learn(name, alone, emoji, options.transformer_passes, 64, who)


if __name__ == "__main__":
    main()
