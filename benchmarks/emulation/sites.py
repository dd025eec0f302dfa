"""Sites that train together, emulated: what `train/site.py` and `train/merge.py` do to parameters.

Same codecs, error feedback, weights, outer step, fragments, learning rates and units of data as the
real sites; equal speeds, and a correction comes a fixed number of steps after its capture. A site
may be cut off for a while: it trains on, and brings all of it when it is back.
Single-site data-parallel is the same with one copy and a batch of all the sites' sequences.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch

from archipel.corpus import TokenReader
from archipel.ledger import InnerSpec, OuterSpec
from archipel.train.codec import codec_named
from archipel.train.fragments import Vector, split
from archipel.train.inner import learning_rate
from archipel.train.outer import outer_step
from benchmarks.emulation.stacked import Shape, Stacked, StackedOptimiser, losses

_UNIT_STEPS = 32


@dataclass(frozen=True)
class Away:
    """A site that is cut off for some steps."""

    site: int
    since: int
    until: int


@dataclass(frozen=True)
class Plan:
    """One training run. `sites` = 1 is data-parallel, on the batches of all `batches` sites."""

    shape: Shape
    inner: InnerSpec  # its batch is one site's
    outer: OuterSpec
    budget_tokens: int
    seed: int
    sites: int = 4
    batches: int = 4
    sync_steps: int = 30
    fragments: int = 4
    codec: str = "none"
    delay_steps: int = 0
    rate_power: float = 0.0  # H grows with the falling rate's inverse to this power, same mean
    away: tuple[Away, ...] = ()
    weigh_by_round: bool = True  # a site that is back: by its tokens a round, or by all of them

    @property
    def steps(self) -> int:
        """Inner steps of each site."""
        return self.budget_tokens // (self.batches * self.inner.batch_tokens)


@dataclass(frozen=True)
class Result:
    """The global parameters at the end; how often each fragment moved; contributed bytes."""

    parameters: Vector
    rounds: int
    payload_bytes: int


class Batches:
    """The sites' batches: units of 32 steps, dealt out in turn, in the order of the run's seed."""

    def __init__(self, plan: Plan, reader: TokenReader) -> None:
        self._plan, self._reader = plan, reader
        self._unit_tokens = _UNIT_STEPS * plan.inner.batch_tokens
        units = (reader.tokens - 1) // self._unit_tokens
        self._order = np.random.default_rng([plan.seed, 0]).permutation(units)

    def at(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of all sites' step: [copies, sequences, tokens]."""
        plan, inner = self._plan, self._plan.inner
        turn, place = divmod(step, _UNIT_STEPS)
        flat = []
        for site in range(plan.batches):
            unit = int(self._order[(turn * plan.batches + site) % len(self._order)])
            start = unit * self._unit_tokens + place * inner.batch_tokens
            flat.append(self._reader.read(start, inner.batch_tokens + 1))
        tokens = torch.from_numpy(np.stack(flat))
        shape = (plan.sites, -1, inner.sequence_tokens)
        return tokens[:, :-1].reshape(shape), tokens[:, 1:].reshape(shape)


class Rounds:
    """The exchange: captures, contributions, commits and corrections of all sites."""

    def __init__(self, plan: Plan, model: Stacked) -> None:
        self._plan, self._flat = plan, model.flat
        self._codec = codec_named(plan.codec)
        self._places = _places(model, plan.fragments)
        start = model.flat[0].detach().numpy()
        self._parameters = [start[place.numpy()] for place in self._places]
        self._momentum = [np.zeros_like(vector) for vector in self._parameters]
        count = plan.fragments
        self._left: list[list[Vector | None]] = [[None] * count for _ in range(plan.sites)]
        self._merge_left: list[Vector | None] = [None] * count
        self._last = [[(0, 0)] * count for _ in range(plan.sites)]  # merge of each: step, number
        self._merges = [0] * count
        first = self._interval(0)
        self._due = [max(1, first * (index + 1) // count) for index in range(count)]
        self._flying: dict[int, tuple[int, np.ndarray]] = {}
        self.merged = 0
        self.payload_bytes = 0

    def after(self, step: int) -> None:
        """Do what is due after `step` steps: corrections that have come, then captures."""
        last = step == self._plan.steps
        for fragment, (since, _) in list(self._flying.items()):
            if step - since >= self._plan.delay_steps or last:
                self._merge(fragment)
        for fragment, due in enumerate(self._due):
            if fragment not in self._flying and (step >= due or last):
                captured = self._flat[:, self._places[fragment]].detach().numpy()
                self._flying[fragment] = (step, captured)
                self._due[fragment] = step + self._interval(step)
                if self._plan.delay_steps == 0 or last:
                    self._merge(fragment)

    def parameters(self) -> Vector:
        """The global parameters in the model's order."""
        whole = np.empty(self._flat.shape[1], np.float32)
        for place, vector in zip(self._places, self._parameters, strict=True):
            whole[place.numpy()] = vector
        return whole

    def _interval(self, step: int) -> int:
        plan = self._plan
        fall = [_fallen(plan, at / 100) ** plan.rate_power for at in range(100)]
        now = _fallen(plan, step / plan.steps) ** plan.rate_power
        return int(plan.sync_steps * sum(fall) / 100 / now)

    def _merge(self, fragment: int) -> None:
        step, captured = self._flying.pop(fragment)
        start, codec = self._parameters[fragment], self._codec
        parts = []
        self._merges[fragment] += 1
        here = [site for site in range(self._plan.sites) if not self._is_away(site, step)]
        for site in here:
            left = self._left[site]
            update = start - captured[site]
            before = left[fragment]
            if before is not None:
                update += np.float32(codec.feedback_decay) * before
            payload = codec.encode(update)
            left[fragment] = update - codec.decode(payload, len(update))
            parts.append((self._weight(site, fragment, step), payload))
            self.payload_bytes += len(payload)
        payload, self._merge_left[fragment] = codec.combine(
            parts, self._merge_left[fragment], len(start)
        )
        update = codec.decode_commit(payload, len(start))
        self._parameters[fragment], self._momentum[fragment] = outer_step(
            self._plan.outer, start, self._momentum[fragment], update
        )
        base = np.repeat(start[None], self._plan.sites, axis=0)
        base[here] = captured[here]
        correction = torch.from_numpy(self._parameters[fragment] - base)
        self._flat[:, self._places[fragment]] += correction
        self.merged += 1

    def _is_away(self, site: int, step: int) -> bool:
        cuts = (cut for cut in self._plan.away if cut.site == site)
        return any(cut.since <= step < cut.until for cut in cuts)

    def _weight(self, site: int, fragment: int, step: int) -> int:
        """As `Contribution.weight`: the tokens since the last one that was merged, a round."""
        since, number = self._last[site][fragment]
        self._last[site][fragment] = step, self._merges[fragment]
        tokens = (step - since) * self._plan.inner.batch_tokens
        spans = self._merges[fragment] - number if self._plan.weigh_by_round else 1
        return max(1, tokens // spans)


def _fallen(plan: Plan, share: float) -> float:
    """The rate after a share of the run, without warm-up, to its peak."""
    tokens = max(int(share * plan.budget_tokens), plan.inner.warmup_tokens)
    rate = learning_rate(plan.inner, tokens=tokens, budget_tokens=plan.budget_tokens, step=1000)
    return rate / plan.inner.learning_rate


def train(plan: Plan, reader: TokenReader) -> Result:
    """Train to the end of the budget."""
    warnings.filterwarnings("ignore", "grad and param do not obey")  # rows of one tensor: meant
    compiled = torch.compile(losses)  # a second call of torch's finds the first one's work
    model = Stacked(plan.shape, plan.sites, plan.seed)
    optimiser = StackedOptimiser(model, plan.inner)
    batches = Batches(plan, reader)
    rounds = Rounds(plan, model) if plan.sites > 1 else None
    for step in range(plan.steps):
        compiled(plan.shape, model.parameters, *batches.at(step)).sum().backward()
        rate = learning_rate(
            plan.inner,
            tokens=step * plan.batches * plan.inner.batch_tokens,
            budget_tokens=plan.budget_tokens,
            step=step,
        )
        optimiser.step(rate)
        if rounds:
            with torch.no_grad():
                rounds.after(step + 1)
    if rounds is None:
        return Result(model.flat[0].detach().numpy(), 0, 0)
    return Result(rounds.parameters(), rounds.merged // plan.fragments, rounds.payload_bytes)


def _places(model: Stacked, fragments: int) -> list[torch.Tensor]:
    """For each fragment, where its values lie in the flat parameters."""
    whole = {
        name: np.arange(span.start, span.stop).reshape(model.shapes[name])
        for name, span in model.spans.items()
    }
    found = []
    for part in split(model.shapes, fragments):
        held = [
            whole[name][slice(*part.rows[name])] if name in part.rows else whole[name]
            for name in part.shapes
        ]
        found.append(torch.from_numpy(np.concatenate([piece.reshape(-1) for piece in held])))
    return found
