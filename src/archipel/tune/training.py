"""The steps of a tuning, on one device; stopped or killed, it goes on to the same end, bit for bit.

Knows nothing about conversations: an objective says what a step's items are worth.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from archipel.errors import ModelError
from archipel.tune.batches import batch_of, steps_in
from archipel.tune.encoding import Item
from archipel.tune.losses import Objective
from archipel.tune.work import Work

log = logging.getLogger(__name__)

_CHECKPOINT_SECONDS = 60.0
_CHECKPOINT_SHARE = 20  # a checkpoint is paid for by so many times its own seconds of training
_WARMUP = 0.05  # of the steps
_CLIP = 1.0
_BETAS = (0.9, 0.95)
_FORGETTING = 0.1  # of the loss and the speed that are shown, a step


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how fast to learn; `batch` counts items, `rate` is the peak."""

    epochs: int
    batch: int
    rate: float
    seed: int


@dataclass(frozen=True)
class Progress:
    """After a step: how far, the mean loss of late, and the speed, prompts and answers counted."""

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    seconds_left: float


@dataclass
class Course:
    """What a tuning has come to. `curve` has the held-out loss after each epoch, the first entry's
    before; None where nothing was held out. Losses of items learnt from are by step."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    curve: list[float | None] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up, then cosine decay to a tenth."""
    warmup = max(1, round(_WARMUP * steps))
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return peak * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


class Tuning:
    """The trained parameters of one job, by name, with their optimiser's state."""

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], objective: Objective, plan: Plan, work: Work
    ) -> None:
        self._parameters = parameters
        self._objective = objective
        self._plan = plan
        self._work = work
        self._optimiser = torch.optim.AdamW(
            list(parameters.values()), lr=plan.rate, betas=_BETAS, weight_decay=0.0, fused=True
        )
        self.course = Course()

    def run(
        self,
        items: Sequence[Item],
        held_out: Sequence[Item],
        stop: threading.Event,
        tell: Callable[[Progress], None],
    ) -> bool:
        """Learn all items in all epochs; False if `stop` was set before the end.

        Raises:
            ModelError: the loss is not finite any more.
        """
        self._resume(held_out)
        course, per_epoch = self.course, steps_in(len(items), self._plan.batch, 1)
        steps = per_epoch * self._plan.epochs
        speed, saved = _Speed(), time.monotonic()
        while course.step < steps:
            if stop.is_set():
                self._save()
                return False
            began = time.monotonic()
            loss, tokens = self._step(items, steps)
            if course.step % per_epoch == 0:
                course.curve.append(self._measure(held_out))
            now = time.monotonic()
            course.seconds += now - began
            tell(speed.after(loss, tokens, now - began, course.step, steps))
            if now >= saved:
                self._save()
                took = time.monotonic() - now
                saved = now + max(_CHECKPOINT_SECONDS, _CHECKPOINT_SHARE * took)
        return True

    def _step(self, items: Sequence[Item], steps: int) -> tuple[float, int]:
        course, plan = self.course, self._plan
        chosen = [items[n] for n in batch_of(course.step, len(items), plan.batch, plan.seed)]
        torch.manual_seed(plan.seed + course.step)  # for dropout, where a model has any
        loss = self._objective.learn(chosen)
        if not math.isfinite(loss):
            raise ModelError(
                f"the loss is {loss} at step {course.step + 1}: give a lower --learning-rate than "
                f"{plan.rate:g} and remove {self._work.folder}"
            )
        nn.utils.clip_grad_norm_(self._parameters.values(), _CLIP)
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(course.step, steps, plan.rate)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        tokens = sum(item.tokens for item in chosen)
        course.losses.append(loss)
        course.tokens += tokens
        course.step += 1
        return loss, tokens

    def _measure(self, held_out: Sequence[Item]) -> float | None:
        return self._objective.measure(held_out) if held_out else None

    def _save(self) -> None:
        tensors = dict(self._parameters) | {
            f"{kind}/{name}": value
            for name, parameter in self._parameters.items()
            for kind, value in self._optimiser.state[parameter].items()
        }
        self._work.save(tensors, vars(self.course))

    def _resume(self, held_out: Sequence[Item]) -> None:
        found = self._work.load()
        if found is None:
            self.course.curve.append(self._measure(held_out))
            return
        tensors, facts = found
        self.course = Course(**facts)
        log.info("going on after step %s", self.course.step)
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(tensors.pop(name))
        for key, value in tensors.items():
            kind, _, name = key.partition("/")
            parameter = self._parameters[name]
            self._optimiser.state[parameter][kind] = value.to(parameter.device)


class _Speed:
    """Means that forget."""

    def __init__(self) -> None:
        self._weight = self._loss = self._tokens = self._seconds = 0.0

    def after(self, loss: float, tokens: int, seconds: float, step: int, steps: int) -> Progress:
        kept = 1 - _FORGETTING
        self._weight = kept * self._weight + _FORGETTING
        self._loss = kept * self._loss + _FORGETTING * loss
        self._tokens = kept * self._tokens + _FORGETTING * tokens
        self._seconds = kept * self._seconds + _FORGETTING * seconds
        return Progress(
            step,
            steps,
            self._loss / self._weight,
            self._tokens / self._seconds,
            (steps - step) * self._seconds / self._weight,
        )
