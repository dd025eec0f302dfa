"""A model's tokens → the pieces of an answer. Knows nothing of endpoints."""

from collections.abc import Sequence
from typing import Any

from archipel.serve.incremental_text import Detokenizer, StopTexts
from archipel.serve.text_model import TextModel, Token
from archipel.serve.text_wording import Piece


class Pieces:
    """Those of one answer, which has at most so many tokens and ends before a stop text.

    With `tells_ends` the end token's log-probability is told too.
    """

    def __init__(
        self, model: TextModel, stops: Sequence[str], most: int, *, tells_ends: bool
    ) -> None:
        self._tokenizer, self._ends, self._most = model.tokenizer, model.end_tokens, most
        self._detokenizer = Detokenizer(model.tokenizer.decode)
        self._stops = StopTexts(stops)
        self._tells_ends = tells_ends
        self._count = 0

    def prompt(self, text: str, tokens: Sequence[Token]) -> Piece:
        """What was read, before anything is added."""
        return Piece(text, [self._logprob(token) for token in tokens], 0)

    def add(self, token: Token) -> Piece:
        """What a further token adds."""
        self._count += 1
        is_end = token.id in self._ends
        text = "" if is_end else self._stops.add(self._detokenizer.add(token.id))
        finish = "stop" if is_end or self._stops.is_met else None
        if finish is None and self._count >= self._most:
            finish = "length"
        if finish and not self._stops.is_met:
            text += self._stops.add(self._detokenizer.rest()) + self._stops.rest()
        is_told = token.logprob is not None and (self._tells_ends or not is_end)
        return Piece(text, [self._logprob(token)] if is_told else [], self._count, finish)

    def _logprob(self, token: Token) -> dict[str, Any]:
        likeliest = [self._one(*pair) for pair in token.likeliest]
        return {**self._one(token.id, token.logprob), "top_logprobs": likeliest}

    def _one(self, token: int, logprob: float | None) -> dict[str, Any]:
        text = self._tokenizer.shown(token)
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}
