"""What an answer grows by, whoever makes it: a model's words, an action's parts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archipel.chat import Delta

Ending = Callable[[str], tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Piece:
    """Text at the end of the answer; `facts` to keep with it, over those before; `progress`: where
    its making is, shown until the next one; `ending`: from the text as it arrived to the one that
    is kept and facts more, called when the answer ends, however it does."""

    text: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    progress: Mapping[str, Any] | None = None
    ending: Ending | None = None


def noted(delta: Delta) -> dict[str, Any]:
    """The facts that a service tells in a delta. Pure."""
    told = {
        "provider": delta.provider,
        "completion_tokens": delta.answer_tokens,
        "prompt_tokens": delta.prompt_tokens,
        "ended": delta.ended,
    }
    return {name: value for name, value in told.items() if value is not None}
