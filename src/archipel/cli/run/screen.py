"""How a run looks in the terminal."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archipel.ledger.view import RunView, SiteView

_COLOURS = {"training": "green", "waiting": "yellow", "joining": "cyan", "left": "dim"}


def run_screen(view: RunView, title: str, note: str = "") -> RenderableType:
    """The run as a table of its sites over a bar of its tokens."""
    share = view.tokens / view.budget_tokens
    head = Text.assemble(
        (title, "bold"),
        f"\n{view.tokens:,} of {view.budget_tokens:,} tokens ({share:.0%})",
        f"   {view.rounds} rounds committed",
    )
    # A progress bar ends without a line break; padding gives it one.
    bar = Padding(ProgressBar(total=view.budget_tokens, completed=view.tokens), (0, 0, 1, 0))
    return Group(head, bar, _sites(view), Text(note, style="dim"))


def _sites(view: RunView) -> Table:
    table = Table(expand=True, box=None, header_style="bold", pad_edge=False)
    for name, right in (
        ("site", False),
        ("state", False),
        ("tokens/s", True),
        ("loss", True),
        ("step", True),
        ("commits", True),
        ("merge duty", False),
        ("out", True),
        ("in", True),
    ):
        table.add_column(name, justify="right" if right else "left")
    for site in view.sites:
        table.add_row(*_row(site))
    total = sum(site.heartbeat.tokens_per_second for site in view.sites if site.alive)
    table.add_row("all", "", f"{total:,.0f}", style="bold")
    return table


def _row(site: SiteView) -> list[RenderableType]:
    beat = site.heartbeat
    gone = not site.alive and beat.state not in ("left", "done")
    state = Text("gone", style="red") if gone else Text(beat.state, _COLOURS.get(beat.state, ""))
    return [
        beat.site,
        state,
        f"{beat.tokens_per_second if site.alive else 0:,.0f}",
        "" if beat.loss is None else f"{beat.loss:.3f}",
        f"{beat.step:,}",
        str(beat.commits_put),
        ", ".join(map(str, site.duty)),
        f"{beat.bytes_out / 1e6:.1f} MB",
        f"{beat.bytes_in / 1e6:.1f} MB",
    ]
