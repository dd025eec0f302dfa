"""The eyes of a model that sees, taught to tell a corpus's things apart before anything is asked:
by questions alone they stay blind for long (docs/decisions/0020).

Convolutions learn first, from labels; then the vision transformer, from what they say of the same
changed picture as well (Hinton et al. 2015, arXiv 1503.02531).

Shapes: N pictures, S pixels of a side, B pictures of a step, K things.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax
from transformers import SiglipVisionConfig

from archipel.corpus.pictures import Picture
from archipel.errors import ConfigError
from archipel.images.naming import Convolutions, Namer, Tower
from archipel.images.seeing import varied
from archipel.train.muon import Muon
from archipel.tune.work import Work

_RATE, _MUON_RATE, _DECAY = 2e-3, 4e-3, 0.05
_WARM_STEPS = 100
_SMOOTHING = 0.1
_FROM_TEACHER = 0.7  # of the loss; the rest is from the labels
_LARGEST_GRADIENT = 1.0
_TOGETHER = 256  # pictures that are looked at, not learnt

# What is learnt, passes done, passes in all.
Show = Callable[[str, int, int], None]
# Changed pictures and their things → the mean loss.
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Shown:
    """Pictures, fp32 [N, 3, S, S] in -1..1, and which thing each shows, int64 [N]."""

    pictures: torch.Tensor
    things: torch.Tensor

    def to(self, device: torch.device) -> "Shown":
        """The same on a device."""
        return Shown(self.pictures.to(device), self.things.to(device))


@dataclass(frozen=True, kw_only=True)
class Schooling:
    """How often all pictures are learnt, by the teacher and by the transformer, and how many in a
    step."""

    teacher_passes: int
    teacher_batch: int = 128
    passes: int
    batch: int = 64
    seed: int = 0


def shown(pictures: Sequence[Picture], names: Sequence[str]) -> Shown:
    """Pictures by what they show, `names` having every thing once: the answer to the first question
    about each. Those of other things, or without questions, are left out.

    Raises:
        ConfigError: none is left.
    """
    number = {name: place for place, name in enumerate(names)}
    named = [one for one in pictures if thing(one) in number]
    if not named:
        raise ConfigError(
            "none of the pictures has a question with an answer, and eyes learn from the first of "
            'each: give them as "asked" in metadata.jsonl'
        )
    pixels = torch.from_numpy(np.stack([one.pixels for one in named])).permute(0, 3, 1, 2)
    things = [number[thing(one)] for one in named]
    return Shown(pixels.float() / 127.5 - 1, torch.tensor(things))


def thing(picture: Picture) -> str:
    """What a picture shows; empty if nothing is asked about it."""
    return picture.asked[0].answer if picture.asked else ""


def teach(
    config: SiglipVisionConfig, lessons: Shown, schooling: Schooling, work: Work, show: Show
) -> tuple[Namer, float]:
    """A transformer that tells the things of `lessons` apart, and the seconds that it took; what is
    learnt is kept in `work` after each pass, and gone on with there.

    Raises:
        ConfigError: `work` holds something else.
        IntegrityError: what it holds is damaged.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    lessons, things = lessons.to(device), int(lessons.things.max()) + 1
    work.begin({**vars(schooling), "things": things, "eyes": config.to_diff_dict()})
    torch.manual_seed(schooling.seed)
    teacher, pupil = Namer(Convolutions(), things), Namer(Tower(config), things)
    both = nn.ModuleDict({"teacher": teacher, "pupil": pupil}).to(device)
    done = {"teacher": 0, "pupil": 0, "seconds": 0.0}
    if kept := work.load():
        both.load_state_dict(kept[0])
        done.update(kept[1])

    def keep(who: str, passes: int, count: int, seconds: float) -> None:
        done[who] = passes
        done["seconds"] += seconds
        work.save(both.state_dict(), done)
        show(who, passes, count)

    for who, model, loss, passes, batch in (
        ("teacher", teacher, by_labels(teacher), schooling.teacher_passes, schooling.teacher_batch),
        ("pupil", pupil, by_teacher(pupil, teacher), schooling.passes, schooling.batch),
    ):
        course = Course(model, loss, passes, batch, schooling.seed)
        for number, seconds in learn(course, lessons, int(done[who])):
            keep(who, number, passes, seconds)
    return pupil.to("cpu").eval(), done["seconds"]


@dataclass(frozen=True)
class Course:
    """What a network learns, how often all pictures, and how many in a step."""

    model: Namer
    loss: Loss
    passes: int
    batch: int
    seed: int = 0


def learn(course: Course, lessons: Shown, done: int = 0) -> Iterator[tuple[int, float]]:
    """Train after so many passes that were done before; the number of each pass when it is over,
    and the seconds that it took."""
    model, optimisers = course.model.train(), _optimisers(course.model)
    batch = min(course.batch, len(lessons.things))
    each = len(lessons.things) // batch
    steps = course.passes * each
    warm = min(_WARM_STEPS, 1 + steps // 10)
    for number in range(done, course.passes):
        began = time.monotonic()
        torch.manual_seed(course.seed + number)
        order = torch.randperm(len(lessons.things))[: each * batch].split(batch)
        for step, places in enumerate(order, number * each):
            course.loss(varied(lessons.pictures[places]), lessons.things[places]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), _LARGEST_GRADIENT)
            rate = min(1, (step + 1) / warm) * min(1, 2 * (steps - step) / steps)
            for optimiser, usual in optimisers:
                optimiser.param_groups[0]["lr"] = usual * rate
                optimiser.step()
                optimiser.zero_grad()
        yield number + 1, time.monotonic() - began
    model.eval()


def by_labels(model: Namer) -> Loss:
    """Of a network that learns from labels."""

    def loss(x_B3SS: torch.Tensor, things_B: torch.Tensor) -> torch.Tensor:
        return cross_entropy(model(x_B3SS), things_B, label_smoothing=_SMOOTHING)

    return loss


def by_teacher(model: Namer, teacher: Namer) -> Loss:
    """Of a network that learns what another says of the same picture, and the label."""

    def loss(x_B3SS: torch.Tensor, things_B: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            wanted_BK = softmax(teacher(x_B3SS), 1)
        logits_BK = model(x_B3SS)
        told = kl_div(log_softmax(logits_BK, 1), wanted_BK, reduction="batchmean")
        from_labels = cross_entropy(logits_BK, things_B)
        return _FROM_TEACHER * told + (1 - _FROM_TEACHER) * from_labels

    return loss


@torch.no_grad()
def named_share(model: Namer, pictures: Shown) -> float:
    """The share of the pictures whose thing is the likeliest."""
    is_learning = model.training
    model.eval()
    said = torch.cat([model(some).argmax(1) for some in pictures.pictures.split(_TOGETHER)])
    model.train(is_learning)
    return float((said == pictures.things).float().mean())


def _optimisers(model: Namer) -> list[tuple[torch.optim.Optimizer, float]]:
    """Each with its rate: Muon for a transformer's matrices, AdamW for all else."""
    is_tower = isinstance(model.features, Tower)
    features: Any = model.features.named_parameters()
    own = {name: p for name, p in features if is_tower and p.ndim == 2 and "position" not in name}
    rest = [p for p in model.parameters() if all(p is not one for one in own.values())]
    found: list[tuple[torch.optim.Optimizer, float]] = [
        (torch.optim.AdamW(rest, weight_decay=_DECAY), _RATE)
    ]
    if own:
        found.append((Muon(own.values(), lr=_MUON_RATE, weight_decay=_DECAY), _MUON_RATE))
    return found
