"""Real site processes, and what their run's ledger says."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from archipel.ledger import Ledger
from archipel.ledger.audit import read_commits
from archipel.store import Store
from tests.preloaded import Command, command

PATIENCE = 150.0  # seconds; a process may share two slow cores with five others

MODEL = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}


def archipel(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return command([*map(str, words)], environment, 120)


def wait_for(
    happened: Callable[[], object], processes: list["Site"], seconds: float = PATIENCE
) -> None:
    """Poll the ledger until something is in it; fail when a process ends with an error first."""
    end = time.monotonic() + seconds
    while not happened():
        for site in processes:
            assert site.process.poll() in (None, 0), site.log.read_text(encoding="utf-8")
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


class Site:
    """One `archipel site join` process, by its URL and name or with a token alone."""

    def __init__(
        self,
        run: Path | str,
        name: str,
        logs: Path | None = None,
        token: str | None = None,
        **environment: str,
    ) -> None:
        self.log = (logs or Path(run).parent) / f"{name}.log"
        words = ["--token", token] if token else [str(run), "--name", name]
        words = ["site", "join", *words, "--threads", "1"]
        self.process = Command(words, environment, out=self.log, error=self.log)

    def says(self, words: str) -> None:
        """Wait until these words are in the log."""
        wait_for(lambda: words in self.log.read_text(encoding="utf-8"), [self])

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def create(run: Path | str, corpus: Path, *, tokens: int, sync: int = 8) -> Path | str:
    config = corpus.parent / "config.json"
    config.write_text(json.dumps(MODEL), encoding="utf-8")
    words = ["--model", config, "--tokens", tokens, "--batch", 4]
    words += ["--sequence", 64, "--sync", sync, "--heartbeat", 0.5, "--learning-rate", 3e-3]
    done = archipel("run", "create", run, "--corpus", corpus, *words)
    assert done.returncode == 0, done.stderr
    return run


def merged_sessions(run: Path | str) -> set[tuple[str, int]]:
    commits = read_commits(Ledger.open(Store(str(run))))
    return {(header.site, header.session) for commit in commits for header in commit.merged}


def audited(run: Path | str) -> dict[str, object]:
    done = archipel("run", "audit", run, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    figures: dict[str, object] = json.loads(done.stdout)
    return figures
