"""Three site processes on one run: watched, one killed on the way and brought back."""

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.live import Live

from archipel import config
from archipel.cli.demo.stage import SITES, Stage, site_cores
from archipel.cli.local_sites import LocalSites
from archipel.cli.run.screen import run_screen
from archipel.ledger import Ledger
from archipel.ledger.view import RunView, Watcher

_LOOK_SECONDS = 0.5
_LINE_SECONDS = 10.0
_AWAY_SECONDS = 10.0
_KILL_SHARE = 0.25  # of the token budget
_RETURN_SHARE = 0.35  # back by then even if ten seconds have not passed: a process that starts on
# busy cores takes up to a third of the shortest demo, and must have time left to work
_VICTIM = SITES[1]


@dataclass
class Story:
    """What happened: when the site was killed and came back, and each process's bytes."""

    started: float
    killed: float | None = None
    returned: float | None = None
    bytes_by_session: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    victim: str = _VICTIM

    @property
    def away(self) -> bool:
        """Whether the victim is down just now."""
        return self.killed is not None and self.returned is None


def _sites(stage: Stage) -> LocalSites:
    words = {
        name: ["--cores", ",".join(map(str, sorted(cores)))] if cores else []
        for name, cores in zip(SITES, site_cores(), strict=True)
    }
    return LocalSites(str(stage.folder / "run"), stage.corpus, stage.folder, words)


def train(stage: Stage, ledger: Ledger) -> Story:
    """Run the three sites to the end of the token budget.

    Raises:
        RunError: a site ended with an error.
    """
    story = Story(started=time.time())
    watcher = Watcher(ledger)
    live = Live(console=stage.console, auto_refresh=False) if stage.console.is_terminal else None
    next_line = time.monotonic()
    with _sites(stage) as sites, live or nullcontext():
        while not sites.all_ended():
            view = watcher.look(datetime.now(UTC))
            _note_bytes(story, view)
            _stage_the_crash(sites, story, view)
            if live:
                title = f"three sites, {config.usable_cores()} cores"
                live.update(run_screen(view, title, _note(story)), refresh=True)
            elif time.monotonic() >= next_line:
                next_line += _LINE_SECONDS
                stage.say(_line(view, story))
            time.sleep(_LOOK_SECONDS)
        _note_bytes(story, watcher.look(datetime.now(UTC)))
    return story


def _stage_the_crash(sites: LocalSites, story: Story, view: RunView) -> None:
    share = view.tokens / view.budget_tokens
    if story.killed is None and share >= _KILL_SHARE:
        sites.kill(_VICTIM)
        story.killed = time.time()
    elif story.away and (
        share >= _RETURN_SHARE or time.time() - (story.killed or 0) >= _AWAY_SECONDS
    ):
        sites.start(_VICTIM)
        story.returned = time.time()


def _note_bytes(story: Story, view: RunView) -> None:
    for site in view.sites:
        beat = site.heartbeat
        story.bytes_by_session[beat.site, beat.session] = (beat.bytes_out, beat.bytes_in)


def _note(story: Story) -> str:
    if story.away:
        return f"{_VICTIM} was killed (SIGKILL); the others go on; it comes back in a moment"
    if story.returned:
        return f"{_VICTIM} was killed and has come back by the same command"
    return f"at {_KILL_SHARE:.0%} of the tokens, {_VICTIM} will be killed and brought back"


def _line(view: RunView, story: Story) -> str:
    rates = "  ".join(
        f"{s.heartbeat.site} {s.heartbeat.tokens_per_second if s.alive else 0:,.0f} tokens/s"
        + (f", loss {s.heartbeat.loss:.2f}" if s.heartbeat.loss is not None else "")
        for s in view.sites
    )
    share = view.tokens / view.budget_tokens
    state = f"  [{_VICTIM} is down]" if story.away else ""
    return f"{share:4.0%}  {view.rounds:3} rounds  {rates}{state}"
