"""An answer on the screen as it grows: Markdown drawn block by block, or the text as it is."""

import sys
from typing import Protocol

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment

_CONTROL_CHARACTERS = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {*b"\t\n"})
_DRAWN_PER_SECOND = 12
_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])


def harmless(text: str) -> str:
    """The text without what would steer the terminal."""
    return text.translate(_CONTROL_CHARACTERS)


def in_line(text: str) -> str:
    """The text as one line."""
    return " ".join(harmless(text).split())


class Drawing(Protocol):
    """Where an answer appears."""

    def add(self, text: str) -> None:
        """Its next piece."""

    def end(self) -> None:
        """It is as long as it gets."""


class Plain:
    """The text, piece by piece."""

    def __init__(self) -> None:
        self._began = False

    def add(self, text: str) -> None:
        """Print it."""
        self._began = True
        sys.stdout.write(harmless(text))
        sys.stdout.flush()

    def end(self) -> None:
        """End the line."""
        if self._began:
            sys.stdout.write("\n")
            sys.stdout.flush()


class Drawn:
    """Markdown: blocks that are complete are printed once; the last one is drawn again as it grows,
    as much of its end as the screen has lines for."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=_DRAWN_PER_SECOND, transient=True)
        self._console = console
        self._text = ""
        self._blocks = 0

    def add(self, text: str) -> None:
        """Let it be drawn."""
        if not self._live.is_started:
            self._live.start()
        self._text += harmless(text)
        if "\n" in text:
            done, self._text = complete(self._text)
            if done:
                self._print(done)
        self._live.update(_Tail(self._text))

    def end(self) -> None:
        """Print the rest."""
        if self._live.is_started:
            self._live.update("")
            self._live.stop()
        if self._text.strip():
            self._print(self._text)
        self._text = ""

    def _print(self, text: str) -> None:
        if self._blocks:
            self._console.print()
        self._blocks += 1
        self._console.print(_markdown(text))


class _Tail:
    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(_markdown(self._text), options, pad=False)
        for line in lines[-max(1, options.size.height - 2) :]:
            yield from line
            yield Segment.line()


def complete(text: str) -> tuple[str, str]:
    """The text cut before its last block, which alone may still change. Pure."""
    starts = [token.map[0] for token in _PARSER.parse(text) if token.level == 0 and token.map]
    if len(starts) < 2:
        return "", text
    lines = text.splitlines(keepends=True)
    return "".join(lines[: starts[-1]]), "".join(lines[starts[-1] :])


def _markdown(text: str) -> Markdown:
    """With addresses written out, and HTML as the text that it is."""
    drawn = Markdown(text, hyperlinks=False)
    drawn.parsed = _PARSER.parse(text)
    return drawn
