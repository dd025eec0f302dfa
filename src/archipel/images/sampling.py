"""From noise to pictures, in a few steps along the flow. Knows nothing about files."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch

from archipel.images.flow import FlowModel

Tell = Callable[[int, int], bool]  # steps done, of how many; true: stop


@dataclass(frozen=True)
class Course:
    """From which time to 0, in how many steps, and how closely the captions are followed."""

    steps: int
    guidance: float
    begin: float = 1.0


@torch.no_grad()
def sample(
    model: FlowModel,
    captions_BC: torch.Tensor,
    noise_BV: torch.Tensor,
    course: Course,
    tell: Tell,
) -> torch.Tensor | None:
    """Pictures as the model's latents, fp32 [B, V], of captions, int64 [B, C]; None if told to
    stop. `noise_BV` is what they are where the course begins.

    Each step goes straight to where the model says that the picture is (Euler), of which it says
    the course's guidance times as much as without the caption (classifier-free guidance, Ho and
    Salimans 2022, arXiv 2207.12598).
    """
    count = len(captions_BC)
    nothing_BC = torch.full_like(captions_BC, model.config.end_of_text_id)
    both_2BC = torch.cat([captions_BC, nothing_BC])
    x_BV = noise_BV
    times = _times(course, math.exp(model.config.time_shift))
    for done, (now, then) in enumerate(pairwise(times), 1):
        time_2B = torch.full((2 * count,), now, device=x_BV.device)
        told_BV, untold_BV = model(both_2BC, torch.cat([x_BV, x_BV]), time_2B).chunk(2)
        picture_BV = untold_BV + course.guidance * (told_BV - untold_BV)
        x_BV = then / now * x_BV + (1 - then / now) * picture_BV
        if tell(done, course.steps):
            return None
    return x_BV


def _times(course: Course, shift: float) -> list[float]:
    """From the beginning to 0: even steps of u, of which the time is s u / (1 + (s − 1) u), so that
    most are where most is decided (Esser et al. 2024, arXiv 2403.03206, section 5.3.2)."""
    first = course.begin / (shift - (shift - 1) * course.begin)
    even = (first * (1 - number / course.steps) for number in range(course.steps + 1))
    return [shift * u / (1 + (shift - 1) * u) for u in even]
