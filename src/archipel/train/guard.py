"""The guard: which contributions to a round are not merged, and why. Pure.

It knows vectors, not sites. Four things are refused: a payload that was merged before, a copy of
another's, a vector out of all proportion, and one that is like nothing else, not even the gradient
on its own data. What it measures, its thresholds and what it can't see: docs/decisions/0004.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from archipel.ledger import Commit
from archipel.train.fragments import Vector

_FEWEST_VALUES = 1_000  # in shorter vectors honest ones are alike, or unlike, by chance
_COPY_COSINE = 0.999
_TIMES_AS_LONG = 10.0
_POWER = 0.5  # of tokens, that a norm grows with: steps in random directions
_EARLY_POWER = 1.0  # steps in one direction
_RISING_POWER = 2.0  # in the warm-up, each longer than the one before
_UNLIKE = 4.0  # standard deviations; a random vector exceeds them once in 16,000 times
_LIKE = 20.0
_HARMLESS = 3.0  # times shorter than the others: no more noise than a codec makes
_COMMITS = 32  # in whose proportion a contribution may be, less and less
_HALF_AFTER_COMMITS = 4  # learning rates decay no faster, and sites that joined warm up by 13
_FEW_COMMITS = 8
_PAYLOADS = 512
_BLOCK = 1 << 14  # values of each vector at a time: together they stay in a core's cache
_SMALLEST_NORM = 1e-30

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Size:
    """What a pseudo-gradient's length is judged by: its L2 norm and the tokens that made it.

    `seen` counts the tokens in the fragment's commits up to the one that merged it.
    """

    norm: float
    tokens: int
    seen: int = 0

    def expected(self, tokens: int, power: float) -> float:
        """The norm to expect of so many tokens; never less than this one's, since what a codec
        left over comes with the fewest tokens too."""
        return float(self.norm * max(1.0, tokens / self.tokens) ** power)


@dataclass(frozen=True)
class Candidate:
    """A decoded contribution that trained on tokens; `payload` is its SHA-256.

    `put_at` is when the store says it was put, in seconds; None: unknown.
    """

    site: str
    tokens: int
    payload: str
    values: Vector
    put_at: float | None = None

    @cached_property
    def norm(self) -> float:
        """L2, in float64: the largest numbers that a codec lets through don't overflow."""
        return norm(self.values)

    @property
    def size(self) -> Size:
        """What its length is judged by."""
        return Size(self.norm, self.tokens)


@dataclass(frozen=True)
class History:
    """What the commits of one fragment say of its contributions."""

    sizes: tuple[Size, ...] = ()  # of each of the last commits the median, the upper of two
    tokens: int = 0  # in all commits that this history knows
    payloads: tuple[str, ...] = ()  # SHA-256 of those merged last
    fruitless: int = 0  # commits in a row that refused and merged nothing

    def after(self, commit: Commit) -> "History":
        """The history with one more commit."""
        tokens = self.tokens + sum(header.tokens for header in commit.merged)
        sizes = [
            Size(norm, header.tokens, tokens)
            for header, norm in zip(commit.merged, commit.norms, strict=False)
            if header.tokens and _SMALLEST_NORM < norm < np.inf
        ]
        median = sorted(sizes, key=lambda size: size.norm)[len(sizes) // 2 :][:1]
        payloads = tuple(
            digest
            for header, digest in zip(commit.merged, commit.payloads, strict=False)
            if header.tokens
        )
        barren = commit.refused and not commit.values
        return History(
            sizes=(*self.sizes, *median)[-_COMMITS:],
            tokens=tokens,
            payloads=(*self.payloads, *payloads)[-_PAYLOADS:],
            fruitless=self.fruitless + 1 if barren else 0,
        )


@dataclass(frozen=True)
class Known:
    """What merge duty knows of a fragment besides the candidates.

    `trained` counts the tokens that all sites together have trained, merged or not yet.
    `own` is the dense pseudo-gradient of the site on duty, before its codec: a sparse contribution
    has much more in common with it than with another sparse one. `witness` works out the gradient
    on the data that a site's contribution cites, which costs some inner steps.
    """

    momentum: Vector  # the outer optimiser's; zero before the first commit
    history: History = History()
    trained: int = 0
    duty: str = ""
    own: Vector | None = None
    witness: Callable[[str], Vector] = lambda site: np.zeros(0, np.float32)


def norm(values: Vector) -> float:
    """The L2 norm in float64."""
    blocks = (values[start : start + _BLOCK] for start in range(0, len(values), _BLOCK))
    return float(np.sqrt(sum(np.square(block, dtype=np.float64).sum() for block in blocks)))


def refusals(candidates: Sequence[Candidate], known: Known) -> dict[int, str]:
    """Which of a round's candidates not to merge, each with its reason."""
    if len(known.momentum) < _FEWEST_VALUES:
        return {}
    found: dict[int, str] = {}
    for check in (_replayed, _exploded, _alike):
        standing = [index for index in range(len(candidates)) if index not in found]
        for place, reason in check([candidates[i] for i in standing], known).items():
            found[standing[place]] = reason
    return found


def _replayed(candidates: Sequence[Candidate], known: Known) -> dict[int, str]:
    return {
        index: "its payload was merged in an earlier round"
        for index, candidate in enumerate(candidates)
        if candidate.payload in known.history.payloads and candidate.norm > 0
    }


def _exploded(candidates: Sequence[Candidate], known: Known) -> dict[int, str]:
    """Those out of proportion with the others in the round and with the commits before.

    A commit that refused everything doubles what the history allows: whatever it is that changed,
    a lone site goes on after a few rounds. While the history is short the momentum stands in.
    """
    length = norm(known.momentum)
    found = {}
    for index, candidate in enumerate(candidates):
        others = [c.size for place, c in enumerate(candidates) if place != index and c.norm > 0]
        usual = _usual(candidate.tokens, others, length, known)
        if 0 < usual * _TIMES_AS_LONG < candidate.norm:
            found[index] = (
                f"its norm {candidate.norm:.3g} is {candidate.norm / usual:.0f} times what "
                f"{candidate.tokens} tokens usually make: exploded"
            )
    return found


def _usual(tokens: int, others: Sequence[Size], momentum: float, known: Known) -> float:
    """The norm to expect of so many tokens; 0 where nothing is known."""
    sizes, patience = known.history.sizes, 2.0**known.history.fruitless
    if len(sizes) < _FEW_COMMITS:
        return max(_expected_early(tokens, others, known), momentum) * patience
    past = max(
        size.expected(tokens, _POWER) * 0.5 ** (age / _HALF_AFTER_COMMITS)
        for age, size in enumerate(reversed(sizes))
    )
    peers = [size.expected(tokens, _POWER) for size in others]
    return float(max(np.median(peers or [0.0]), past * patience))


def _expected_early(tokens: int, others: Sequence[Size], known: Known) -> float:
    """What to expect in the warm-up: of the commits before, in proportion to the learning rate,
    which grows with the tokens that all have trained; of the others, from those that were made of
    the most tokens."""
    past = [
        size.expected(tokens, _EARLY_POWER) * max(1.0, known.trained / max(size.seen, size.tokens))
        for size in known.history.sizes
    ]
    most = max((size.tokens for size in others), default=0)
    near = [size for size in others if 2 * size.tokens >= most]
    return max([*past, *(size.expected(tokens, _RISING_POWER) for size in near)], default=0.0)


def _alike(candidates: Sequence[Candidate], known: Known) -> dict[int, str]:
    """Copies of another's, then those that are like nothing."""
    likeness = Likeness(candidates, known)
    copies = _copied(candidates, likeness)
    standing = [index for index in range(len(candidates)) if index not in copies]
    return copies | _random(candidates, known, likeness, standing)


def _random(
    candidates: Sequence[Candidate], known: Known, likeness: "Likeness", standing: Sequence[int]
) -> dict[int, str]:
    """Of those standing the ones that are like nothing, not even the gradient on their own data.

    That gradient is asked for where the others are like each other, or nothing is known yet: sites
    that train on different kinds of text may have nothing in common.
    """
    first = not known.momentum.any()
    found = {}
    for index in standing:
        candidate, others = candidates[index], [i for i in standing if i != index]
        usual = np.median([candidates[i].norm for i in others] or [0.0])
        harmless = candidate.norm * _HARMLESS < usual or candidate.norm < _SMALLEST_NORM
        own = likeness.best(index)
        if harmless or candidate.site == known.duty or own >= _UNLIKE:
            continue
        if not first and likeness.agreement(others, without=index) <= _LIKE:
            continue
        downhill = deviations(candidate.values, known.witness(candidate.site))
        if downhill < _UNLIKE:
            found[index] = (
                f"it is like no other contribution nor the updates before ({own:.1f} standard "
                f"deviations from chance), nor its own data's gradient ({downhill:.1f}): random"
            )
    return found


def deviations(one: Vector, other: Vector) -> float:
    """How alike two vectors are, in standard deviations of what random signs would give."""
    dot = spread = 0.0
    for start in range(0, min(len(one), len(other)), _BLOCK):
        block = slice(start, start + _BLOCK)
        products = one[block].astype(np.float64) * other[block]
        dot, spread = dot + products.sum(), spread + np.square(products).sum()
    return float(dot / np.sqrt(spread)) if spread > 0 else 0.0


def _copied(candidates: Sequence[Candidate], likeness: "Likeness") -> dict[int, str]:
    """Of two that are the same, the one that was put later; both, if nobody can tell."""
    found = {}
    for index, one in enumerate(candidates):
        for place, other in enumerate(candidates):
            cosine = likeness.cosines[index, place]
            same = one.payload == other.payload or cosine > _COPY_COSINE
            if place == index or not same or not one.norm > 0:
                continue
            if one.put_at is None or other.put_at is None or one.put_at >= other.put_at:
                found[index] = f"it is a copy of {other.site}'s (cosine {cosine:.4f}): stolen"
                break
    return found


class Likeness:
    """How alike vectors are, in standard deviations of what random signs would give.

    For vectors a and b the sum of aᵢbᵢ has the variance ∑ aᵢ²bᵢ² if the signs of one are random,
    whatever their sizes: so one scale serves dense and sparse vectors. The rows are the candidates,
    the momentum, and the pseudo-gradient of the site on duty where it is known.
    """

    def __init__(self, candidates: Sequence[Candidate], known: Known) -> None:
        count, values = len(candidates), len(known.momentum)
        rows = [*(candidate.values for candidate in candidates), known.momentum]
        lengths = [*(candidate.norm for candidate in candidates), norm(known.momentum)]
        if known.own is not None:
            rows, lengths = [*rows, known.own], [*lengths, norm(known.own)]
        scales = [  # to a mean square of 1
            np.float32(np.sqrt(values) / length if length > _SMALLEST_NORM else 0.0)
            for length in lengths
        ]
        dots = np.zeros((len(rows), len(rows)))
        spread = np.zeros_like(dots)
        rest_spread = np.zeros(count)
        for start in range(0, values, _BLOCK):
            block = np.stack(
                [row[start : start + _BLOCK] * s for row, s in zip(rows, scales, strict=True)]
            )
            squares = block * block
            dots += block @ block.T
            spread += squares @ squares.T
            products = block[:count].sum(axis=0) - block[:count]
            products *= block[:count]
            rest_spread += np.einsum("ij,ij->i", products, products)
        self.cosines: Matrix = dots / values
        self._pairs = np.abs(_deviations(dots, spread))
        rest_dots = dots[:count, :count].sum(axis=1) - dots.diagonal()[:count]
        self._rest = np.abs(_deviations(rest_dots, rest_spread))
        for index, candidate in enumerate(candidates):
            self._pairs[index, index] = 0
            if candidate.site == known.duty and known.own is not None:
                self._pairs[index, -1] = 0  # what it says of itself

    def best(self, index: int) -> float:
        """How far a candidate's likeness with any other row, or with the sum of the other
        candidates, is from chance."""
        return float(max(self._pairs[index].max(), self._rest[index]))

    def agreement(self, indices: Sequence[int], *, without: int) -> float:
        """How alike these candidates are to the other rows but one: the upper median; 0 of none."""
        best = sorted(float(np.delete(self._pairs[index], without).max()) for index in indices)
        return best[len(best) // 2] if best else 0.0


def _deviations(dots: np.ndarray, spread: np.ndarray) -> np.ndarray:
    deviations = np.zeros_like(dots)
    np.divide(dots, np.sqrt(spread), out=deviations, where=spread > 0)
    return deviations
