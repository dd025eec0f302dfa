"""A recipe's run, trained at several sites: of this machine, or wherever they are."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live

from archipel import config
from archipel.cli.local_sites import LocalSites
from archipel.cli.run.screen import run_screen
from archipel.corpus import TokenReader, read_manifest
from archipel.ledger import Ledger
from archipel.ledger.view import RunView, Watcher
from archipel.train.export import measure
from archipel.train.join import is_finished, load_state
from archipel.watch.document import shown_url

_LOOK_SECONDS = 0.5
_FAR_LOOK_SECONDS = 3.0  # each costs requests
_LINE_SECONDS = 10.0


def train_at_sites(
    ledger: Ledger, corpus: Path, folder: Path, sites: Sequence[str], console: Console
) -> None:
    """The run to the end of its tokens, by sites of this machine that log in `folder`; Ctrl-C lets
    them hand in what they have.

    Raises:
        RunError: a site ended with an error.
    """
    if is_finished(ledger):
        return
    threads = max(1, config.usable_cores() // len(sites))
    words = {name: ["--threads", str(threads)] for name in sites}
    with LocalSites(ledger.store.url, corpus, folder, words) as processes:
        _look_on(ledger, folder.name, console, processes.all_ended)


def await_sites(ledger: Ledger, console: Console) -> None:
    """The run to the end of its tokens, by whatever sites join it; Ctrl-C ends the looking on, and
    they go on.

    Raises:
        StoreError: the run can't be read.
    """
    if is_finished(ledger):
        return
    url = shown_url(ledger.store.url)
    console.print(
        f"{url} waits for sites. A token for each: archipel run invite {url} --name NAME",
        soft_wrap=True,
        markup=False,
    )
    _look_on(ledger, url, console, lambda: is_finished(ledger), _FAR_LOOK_SECONDS)


def _look_on(
    ledger: Ledger,
    name: str,
    console: Console,
    is_over: Callable[[], bool],
    seconds: float = _LOOK_SECONDS,
) -> None:
    """Show how far the run has come, every so many seconds, until it is over."""
    watcher, next_line = Watcher(ledger), time.monotonic()
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    with live or nullcontext():
        while not is_over():
            view = watcher.look(datetime.now(UTC))
            if live:
                live.update(run_screen(view, name), refresh=True)
            elif time.monotonic() >= next_line:
                next_line += _LINE_SECONDS
                console.print(_line(view), soft_wrap=True, markup=False)
            time.sleep(seconds)


def run_facts(ledger: Ledger, corpus: Path) -> dict[str, float | int]:
    """Of a run that is finished, by the names that the report knows."""
    state = load_state(ledger)
    held_out = TokenReader(corpus, read_manifest(corpus), "held_out")
    return {
        "held_out_loss": round(measure(state, held_out) or 0.0, 4),
        "sites": len(ledger.site_names()),
        "tokens": state.cover.tokens,
        "parameters": sum(tensor.size for tensor in state.tensors().values()),
        "training_minutes": round(_training_minutes(ledger), 1),
    }


def _training_minutes(ledger: Ledger) -> float:
    """From the first to the last inner step of any site, pauses too."""
    lines = (line for name in ledger.site_names() for line in ledger.metrics(name).splitlines())
    times = [point["time"] for point in map(json.loads, lines) if "step" in point]
    return float(max(times) - min(times)) / 60


def _line(view: RunView) -> str:
    beats = [site.heartbeat for site in view.sites if site.alive]
    speed = sum(beat.tokens_per_second for beat in beats)
    losses = [beat.loss for beat in beats if beat.loss is not None]
    loss = f", loss {sum(losses) / len(losses):.3f}" if losses else ""
    share = view.tokens / view.budget_tokens
    return f"{share:5.1%}  {view.rounds} rounds, {len(beats)} sites, {speed:,.0f} tokens/s{loss}"
