"""What the API of our own engines needs of a model of text, whatever computes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from archipel.models.sampling import UsualSampling


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen; at temperature 0 the likeliest. `likeliest` of them are told.

    Of tokens that are drawn: the `top_k` likeliest (less than 1: all), of these the fewest that
    have `top_p` of the chance together, and of these what is `min_p` as likely as the likeliest.
    A token that was there before is made less likely by `repetition_penalty` (Keskar 2019).
    """

    max_tokens: int
    temperature: float
    top_p: float
    seed: int | None
    likeliest: int | None = None
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0


@dataclass(frozen=True)
class Prompt:
    """What a model reads: tokens, `of_pictures` of them places of pictures, and what it sees there,
    as its own `answer` takes that."""

    ids: Sequence[int]
    seen: Mapping[str, Any] = field(default_factory=dict)
    of_pictures: int = 0


@dataclass(frozen=True)
class Token:
    """A token that was chosen, or read: with its log-probability and the likeliest's, if asked."""

    id: int
    logprob: float | None = None
    likeliest: tuple[tuple[int, float], ...] = ()


class Tokenizer(Protocol):
    """Text to the numbers of tokens and back, from any thread."""

    def __len__(self) -> int:
        """How many tokens there are."""

    def encode(self, text: str) -> list[int]:
        """A text by itself, with the marks that the model expects around one."""

    def converse(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Messages as the model's template writes them, up to where its answer begins.

        Raises:
            ValueError: the template does not take them.
        """

    def decode(self, ids: list[int]) -> str:
        """The text, without marks; half a character becomes U+FFFD."""

    def shown(self, token: int) -> str:
        """One token's text, marks too."""


@runtime_checkable
class SeeingTokenizer(Tokenizer, Protocol):
    """One that makes pictures ready for its model too."""

    def show(self, messages: Sequence[Mapping[str, Any]]) -> Prompt:
        """As `converse`, of messages whose contents are lists of parts: `{"type": "text", "text":
        …}`, or `{"type": "image", "image": …}` with a picture of Pillow's in RGB.

        Raises:
            ValueError: the template does not take them, or the model no such picture.
        """


class TextModel(Protocol):
    """A loaded model, which several threads may ask at once."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def context(self) -> int | None:
        """Tokens of a prompt and its answer together; None: no end is known."""

    @property
    def usual(self) -> UsualSampling:
        """How its maker would have tokens chosen, where a request does not say."""

    @property
    def end_tokens(self) -> frozenset[int]:
        """Those after which an answer is over."""

    def answer(self, prompt: Prompt, sampling: Sampling, tell: Callable[[Token], bool]) -> None:
        """Tell token after token until `tell` says that it was enough, or the answer ends; the end
        token is told too."""


@runtime_checkable
class LogprobModel(TextModel, Protocol):
    """One that tells log-probabilities: of what it answers, and of what it reads."""

    def read(self, prompt: Sequence[int], likeliest: int) -> list[Token]:
        """The prompt's tokens, each with its log-probability after those before it, and those of so
        many likeliest; the first, before which nothing is, without."""
