"""How a run looks in the terminal, at any width from 60 columns on."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archipel.cli.run.plot import braille
from archipel.cli.run.quantities import amount, data, duration
from archipel.ledger.history import Round
from archipel.ledger.view import RunView, SiteView

_COLOURS = {
    "training": "green",
    "waiting": "yellow",
    "joining": "cyan",
    "left": "dim",
    "gone": "red",
    "done": "blue",
}
_MERGED, _LATE, _REFUSED, _UNKNOWN = (
    ("━", "green"),
    ("╌", "yellow"),
    ("✕", "bold red"),
    ("·", "dim"),
)
_WIDE = 110
_PLOT_LINES = 7
_REFUSALS = 5
_REASON_CHARACTERS = 300


def run_screen(view: RunView, title: str, note: str = "") -> RenderableType:
    """The run: how far it is, its loss curve, its sites with the last rounds, what was refused."""
    return _Screen(view, title, note)


@dataclass(frozen=True)
class _Screen:
    view: RunView
    title: str
    note: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        yield from self._head(width)
        if len(self.view.curve) > 1:
            yield _curve(self.view, width)
        if self.view.sites:
            yield _sites(self.view, width)
        yield from self._below()

    def _head(self, width: int) -> Iterator[RenderableType]:
        view = self.view
        share = view.tokens / view.budget_tokens
        yield Text(_plain(self.title), style="bold", overflow="ellipsis", no_wrap=True)
        tokens = f"{amount(view.tokens)} of {amount(view.budget_tokens)} tokens ({share:.0%})"
        facts = [tokens, _plural(view.rounds, "round"), *_facts(view)]
        # A progress bar ends without a line break; padding gives it one.
        bar = ProgressBar(total=view.budget_tokens, completed=view.tokens)
        yield Padding(bar, 0)
        yield Padding(Text("\n".join(_lines(facts, width))), (0, 0, 1, 0))

    def _below(self) -> Iterator[RenderableType]:
        view = self.view
        for refusal in view.refusals[:_REFUSALS]:
            reason = _plain(refusal.reason)[:_REASON_CHARACTERS]
            yield Text.assemble(
                ("refused ", "bold red"), f"{refusal.site} in round {refusal.round}: {reason}"
            )
        if view.era:
            without = f" without {', '.join(view.era.without)}" if view.era.without else ""
            yield Text(_plain(f"rolled back{without}; all this is since: {view.era.reason}"))
        if view.diverged:
            rounds = ", ".join(map(str, view.diverged[:10]))
            yield Text(f"sites disagree on the parameters after rounds {rounds}", style="bold red")
        for trouble in view.unreadable:
            yield Text(_plain(trouble)[:_REASON_CHARACTERS], style="yellow")
        if view.pieces_behind:
            yield Text(f"still reading {view.pieces_behind:,} pieces of metrics", style="dim")
        words = {
            "empty": "no site has joined yet: archipel site join URL --name NAME",
            "idle": "no site is alive: join again with the same command to go on",
            "finished": "the run is finished",
        }.get(view.state, "")
        for line in (words, self.note):
            if line:
                yield Text(_plain(line), style="dim")


def _facts(view: RunView) -> Iterator[str]:
    if view.tokens_per_second:
        yield f"{amount(view.tokens_per_second)} tokens/s"
    if view.spec.sync_steps is None and view.sync_steps:
        yield f"H {view.sync_steps}"
    if view.utilisation:
        yield f"{view.utilisation:.0%} busy"
    if view.bytes_per_token is not None:
        yield f"{view.bytes_per_token:.3g} bytes/token"
    if view.eta_seconds and view.state == "training":
        yield f"{duration(view.eta_seconds)} left"
    if view.hours:
        yield f"{view.hours:.3g} site-hours"
    if view.cost:
        yield f"cost {view.cost:.2f}"


def _lines(facts: list[str], width: int) -> Iterator[str]:
    """The facts, as many on a line as fit; none is broken."""
    line = ""
    for fact in facts:
        longer = f"{line}   {fact}" if line else fact
        if line and len(longer) > width:
            yield line
            longer = fact
        line = longer
    yield line


def _curve(view: RunView, width: int) -> RenderableType:
    """The loss of all sites over the run's tokens, with the scale at its sides."""
    points = [(point.tokens, point.loss) for point in view.curve]
    losses = [loss for _, loss in points]
    top, bottom = f"{max(losses):.3f}", f"{min(losses):.3f}"
    margin = max(len(top), len(bottom), 6) + 1
    until = view.budget_tokens if view.tokens > view.budget_tokens / 4 else points[-1][0] * 1.05
    lines = braille(points, width - margin - 1, _PLOT_LINES, until=until)
    labels = [top, "loss", *[""] * (_PLOT_LINES - 3), bottom]
    drawn = Text(no_wrap=True)
    for label, line in zip(labels, lines, strict=True):
        drawn.append(f"{label:>{margin - 1}} ", style="dim")
        drawn.append(line + "\n", style="cyan")
    scale = f"{amount(until)} tokens"
    drawn.append(" " * margin + "0" + scale.rjust(width - margin - 2) + "\n", style="dim")
    return drawn


def _sites(view: RunView, width: int) -> Table:
    wide = width >= _WIDE
    table = Table(expand=True, box=None, header_style="dim", pad_edge=False)
    table.add_column("site", no_wrap=True, max_width=24 if wide else 14)
    table.add_column("state", no_wrap=True)
    for name in ("tokens/s", "loss", "busy", "up", "down") if wide else ("tok/s", "loss", "busy"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("moved", justify="right", no_wrap=True)
    table.add_column("merges", no_wrap=True, max_width=12)
    marks = "last rounds: ━ in  ╌ late  ✕ refused" if wide else "last rounds"
    table.add_column(marks, ratio=1, no_wrap=True, overflow="crop", justify="right")
    for site in view.sites:
        table.add_row(*_row(site, wide=wide), _Marks(view.recent, site.heartbeat.site))
    return table


def _row(site: SiteView, *, wide: bool) -> list[RenderableType]:
    beat = site.heartbeat
    cells: list[RenderableType] = [
        Text(beat.site, overflow="ellipsis"),
        Text(site.state, _COLOURS[site.state]),
        f"{site.tokens_per_second:,.0f}" if site.tokens_per_second else "",
        "" if beat.loss is None else f"{beat.loss:.3f}",
        f"{beat.busy:.0%}" if beat.busy and site.is_current else "",
    ]
    if wide:
        links = (beat.up_bytes_per_second, beat.down_bytes_per_second)
        cells += [f"{data(rate)}/s" if rate and site.is_current else "" for rate in links]
    moved = site.bytes_out + site.bytes_in
    cells.append(data(moved) if moved else "")
    cells.append(Text(" ".join(map(str, site.duty)), overflow="ellipsis"))
    return cells


@dataclass(frozen=True)
class _Marks:
    """What a site had in each of the last rounds, the newest at the right; as many as fit."""

    recent: tuple[Round, ...]
    site: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = Text(justify="right", no_wrap=True)
        for found in self.recent[-options.max_width :]:
            text.append(*self._mark(found))
        yield text

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(4, max(4, len(self.recent)))

    def _mark(self, found: Round) -> tuple[str, str]:
        if found.merged is None:
            return _UNKNOWN
        if self.site in found.merged:
            return _MERGED
        if any(self.site == refused for refused, _ in found.refused):
            return _REFUSED
        return _LATE if self.site in found.late else (" ", "")


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _plain(text: str) -> str:
    """Text from a store without signs that a terminal obeys."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
