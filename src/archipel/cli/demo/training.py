"""Three site processes on one run: watched, one killed on the way and brought back."""

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.live import Live

from archipel import config
from archipel.cli.demo.stage import SITES, Stage, site_cores
from archipel.cli.run.screen import run_screen
from archipel.errors import RunError
from archipel.ledger import Ledger
from archipel.ledger.view import RunView, Watcher

_LOOK_SECONDS = 0.5
_LINE_SECONDS = 10.0
_AWAY_SECONDS = 10.0
_KILL_SHARE = 0.35  # of the token budget
_RETURN_SHARE = 0.5  # back by then even if ten seconds have not passed: it must have time to work
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


class _Sites:
    """The site processes of this demo. None outlives it."""

    def __init__(self, stage: Stage) -> None:
        self._folder = stage.folder
        self._corpus = stage.corpus
        self._cores = dict(zip(SITES, site_cores(), strict=True))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "_Sites":
        for name in SITES:
            self.start(name)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self._processes.values():
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()

    def start(self, name: str) -> None:
        """Start a site's process; its log goes on where the one before ended."""
        command = [sys.executable, "-m", "archipel", "site", "join", str(self._folder / "run")]
        command += ["--name", name, "--corpus", str(self._corpus)]
        if self._cores[name]:
            command += ["--cores", ",".join(map(str, sorted(self._cores[name])))]
        with self.log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )

    def kill(self, name: str) -> None:
        """SIGKILL: no goodbye."""
        os.kill(self._processes[name].pid, signal.SIGKILL)
        self._processes[name].wait()

    def log(self, name: str) -> Path:
        """The file that holds what a site prints."""
        return self._folder / f"{name}.log"

    def all_ended(self) -> bool:
        """Whether every site ended well.

        Raises:
            RunError: one ended with an error.
        """
        for name, process in self._processes.items():
            if process.poll() not in (None, 0, -signal.SIGKILL):
                tail = self.log(name).read_text(encoding="utf-8", errors="replace")[-800:]
                raise RunError(f"site {name} ended with {process.returncode}:\n{tail}")
        return all(process.poll() == 0 for process in self._processes.values())


def train(stage: Stage, ledger: Ledger) -> Story:
    """Run the three sites to the end of the token budget.

    Raises:
        RunError: a site ended with an error.
    """
    story = Story(started=time.time())
    watcher = Watcher(ledger)
    live = Live(console=stage.console, auto_refresh=False) if stage.console.is_terminal else None
    next_line = time.monotonic()
    with _Sites(stage) as sites, live or nullcontext():
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


def _stage_the_crash(sites: _Sites, story: Story, view: RunView) -> None:
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
