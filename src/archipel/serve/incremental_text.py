"""Text that comes token by token: characters only when they are whole, and ends at a stop text."""

from collections.abc import Callable, Sequence

_HALF = "\N{REPLACEMENT CHARACTER}"  # what half a character decodes to


class Detokenizer:
    """Tokens → the text that each adds. `decode` turns tokens into text."""

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._before = 0  # the text of a token depends on the few before it
        self._told = 0

    def add(self, token: int) -> str:
        """The text that is whole now."""
        self._tokens.append(token)
        return self._new(is_end=False)

    def rest(self) -> str:
        """What stays half at the end."""
        return self._new(is_end=True)

    def _new(self, *, is_end: bool) -> str:
        known = self._decode(self._tokens[self._before : self._told])
        text = self._decode(self._tokens[self._before :])
        if len(text) <= len(known) or (text.endswith(_HALF) and not is_end):
            return ""
        self._before, self._told = self._told, len(self._tokens)
        return text[len(known) :]


class StopTexts:
    """Lets text through up to the first of some stop texts; what may begin one is kept back."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._kept = ""
        self.is_met = False

    def add(self, text: str) -> str:
        """What may be shown now."""
        if self.is_met:
            return ""
        self._kept += text
        found = [place for stop in self._stops if (place := self._kept.find(stop)) >= 0]
        if found:
            self.is_met = True
            shown, self._kept = self._kept[: min(found)], ""
            return shown
        keep = max((self._overlap(stop) for stop in self._stops), default=0)
        shown, self._kept = self._kept[: len(self._kept) - keep], self._kept[-keep:] if keep else ""
        return shown

    def rest(self) -> str:
        """What was kept back, when no more comes."""
        shown, self._kept = self._kept, ""
        return shown

    def _overlap(self, stop: str) -> int:
        """How much of the end may be the beginning of `stop`."""
        most = min(len(stop) - 1, len(self._kept))
        return next((n for n in range(most, 0, -1) if self._kept.endswith(stop[:n])), 0)
