"""Which provider answers for a public model name, and who is asked next if it does not. Pure."""

import hashlib
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Price:
    """Of one token, in nanos: billionths of the currency."""

    prompt: int
    completion: int

    def nanos(self, prompt_tokens: int, completion_tokens: int) -> int:
        """Of a request."""
        return self.prompt * prompt_tokens + self.completion * completion_tokens


@dataclass(frozen=True)
class PiecePrice:
    """Of one picture, and of one request for sound or of a sound, in nanos. None: not known."""

    picture: int | None = None
    sound: int | None = None


@dataclass(frozen=True)
class Target:
    """A model of one provider, under that provider's name for it."""

    provider: str
    model: str
    is_here: bool  # what it is asked does not leave the organisation
    weight: float = 1.0
    first_token_seconds: float = 60.0  # that a stream may take to begin
    answer_seconds: float = 600.0  # that an answer which is not streamed may take
    price: Price | None = None  # None: not known
    pieces: PiecePrice = PiecePrice()
    replica: str | None = None  # which of the provider's engines, where it has several

    @property
    def shown(self) -> str:
        """For the log."""
        which = f" (replica {self.replica})" if self.replica else ""
        return f"{self.provider}/{self.model}{which}"


@dataclass(frozen=True)
class Policy:
    """What a public model name stands for."""

    name: str
    targets: tuple[Target, ...]
    weighted: bool = False  # the targets share the requests; else each is there for those before
    sticky: bool = False  # conversations that begin alike go to the same target while it is well
    data_stays_here: bool = False
    hedge_seconds: float | None = None  # after which a second target is asked beside a slow first
    retry_share: float = 0.2  # of the questions, for requests beyond the first
    retry_burst: float = 1000.0


def candidates(policy: Policy, draw: bytes, resting: Set[Target]) -> list[Target]:
    """The targets that may be asked, in their order; `draw` decides between weighted ones.

    Equal draws give equal orders, and a target that goes or comes back moves only its own share
    (weighted rendezvous hashing: Thaler and Ravishankar, 1996; Schindelhauer and Schomaker, 2005).
    """
    allowed = [
        target
        for target in policy.targets
        if target not in resting and (target.is_here or not policy.data_stays_here)
    ]
    return sorted(allowed, key=lambda target: _place(target, draw)) if policy.weighted else allowed


def _place(target: Target, draw: bytes) -> float:
    name = f"{target.provider}\0{target.model}".encode()
    number = int.from_bytes(hashlib.sha256(draw + name).digest()[:7])  # a double holds 53 bits
    return -math.log((number + 1) / (1 << 56)) / target.weight


def beginning(body: Mapping[str, Any]) -> bytes:
    """What stays the same while a conversation grows: all up to its first question, as a digest."""
    messages = body.get("messages")
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        return _digest(body.get("prompt"))
    roles = [message.get("role") if isinstance(message, Mapping) else None for message in messages]
    end = roles.index("user") + 1 if "user" in roles else len(messages)
    return _digest(messages[:end])


def _digest(value: Any) -> bytes:
    return hashlib.sha256(repr(value).encode()).digest()
