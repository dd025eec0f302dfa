"""Whether another engine answers as llama.cpp does with the same model, and no slower. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archipel.serve.text_model import Token

# Numbers rounded in another order move a log-probability by some hundredths, weights that are
# packed anew by tenths; a wrong weight, position or mark by whole ones.
TOLERANCE_NATS = 0.5
_ASKED_TOKENS, _ANSWER_TOKENS = 512, 128  # of the exchange whose time is compared


@dataclass(frozen=True)
class Place:
    """A token that llama.cpp chose, and the likeliest ones there with their log-probabilities;
    none where it does not tell them, for the token leaves a character half."""

    chosen: int
    likely: Mapping[int, float]


@dataclass(frozen=True)
class Speed:
    """Tokens a second: of a prompt that is read, of an answer that is written."""

    reads: float
    writes: float

    @property
    def exchange_seconds(self) -> float:
        """For a prompt of 512 tokens and an answer of 128."""
        return _ASKED_TOKENS / self.reads + _ANSWER_TOKENS / self.writes


def tokens_fault(text: str, ours: Sequence[int], theirs: Sequence[int]) -> str | None:
    """What is wrong with the tokens of a text; None if nothing is."""
    if list(ours) == list(theirs):
        return None
    place = next(
        (n for n, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
        min(len(ours), len(theirs)),
    )
    return (
        f"it cuts {text[:60]!r} into other tokens than llama.cpp: from token {place} on "
        f"{list(ours[place : place + 4])} instead of {list(theirs[place : place + 4])}"
    )


def answer_fault(text: str, ours: Sequence[Token], theirs: Sequence[Place]) -> str | None:
    """What is wrong with the likeliest answer to a text; None if nothing is.

    Where two tokens are as good as equally likely, either may be chosen; from there on the answers
    are two, and no longer compared.
    """
    if not ours and theirs:
        return f"it has no answer to {text[:60]!r}"
    for number, (token, place) in enumerate(zip(ours, theirs, strict=False), 1):
        if fault := _token_fault(token, place):
            return f"token {number} of its answer to {text[:60]!r} is {token.id}, {fault}"
        if token.id != place.chosen:
            return None
    return None


def _token_fault(token: Token, place: Place) -> str | None:
    if token.logprob is None or not math.isfinite(token.logprob):
        return f"with the log-probability {token.logprob}"
    if not place.likely:
        return None
    held = place.likely.get(token.id, -math.inf)
    if place.likely[place.chosen] - held > TOLERANCE_NATS:
        return f"where llama.cpp holds {place.chosen} for likelier by far"
    if abs(token.logprob - held) > TOLERANCE_NATS:
        return f"at {token.logprob:.2f} nats, which llama.cpp has at {held:.2f}"
    return None


def speed_fault(ours: Speed, theirs: Speed) -> str | None:
    """Why it would be a loss to answer with it; None if it would not."""
    if ours.exchange_seconds <= theirs.exchange_seconds:
        return None
    return f"it is slower here: {compared(ours, theirs)}"


def compared(ours: Speed, theirs: Speed) -> str:
    """Both speeds in words."""
    return (
        f"it reads {ours.reads:,.0f} tokens a second and writes {ours.writes:,.0f}, llama.cpp "
        f"{theirs.reads:,.0f} and {theirs.writes:,.0f}"
    )
