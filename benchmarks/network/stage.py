"""What measurements on emulated networks share: a corpus, small models, runs and sites."""

import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archipel import config
from archipel.corpus import BuildOptions, build_corpus
from archipel.errors import RunError
from archipel.ledger import Heartbeat, Ledger
from archipel.ledger.invite import invite
from archipel.ledger.keyring import Keyring
from archipel.store import Store
from benchmarks.network.hosts import Network
from benchmarks.network.points import Point
from benchmarks.network.sites import Site

_PACKAGES = ("asyncio", "email", "http", "json", "logging", "unittest", "xml", "concurrent")
_POLL_SECONDS = 0.05
_COMMAND_SECONDS = 180.0


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A run to be made: the model's widths, the batch, and `archipel run create`'s options."""

    hidden: int
    layers: int
    batch: int
    sequence: int
    tokens: int
    options: dict[str, object]  # --codec, --sync and so on, without the dashes

    def model(self) -> dict[str, object]:
        """The model's config.json."""
        return {
            "model_type": "llama",
            "hidden_size": self.hidden,
            "intermediate_size": 8 * self.hidden // 3 // 32 * 32,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.hidden // 32,
            "num_key_value_heads": self.hidden // 32,
            "tie_word_embeddings": True,
        }


class Stage:
    """A folder with a corpus of the standard library, and the runs of one measurement."""

    def __init__(self, network: Network, folder: Path, vocab_size: int = 1024) -> None:
        """Build the corpus, and point this process's store client past all links."""
        self.network = network
        self.folder = folder
        self.corpus = folder / "corpus"
        os.environ.update(network.environment(), ARCHIPEL_HOME=str(folder / "home"))
        library = Path(sysconfig.get_path("stdlib"))
        inputs = [library / name for name in _PACKAGES]
        build_corpus(inputs, self.corpus, BuildOptions(vocab_size=vocab_size, held_out=0.1))

    def archipel(self, *words: object, codes: Iterable[int] = (0,)) -> str:
        """Run a command of ours here, beside the store, and return what it prints.

        Raises:
            RunError: it ends with another code than those.
        """
        command = [sys.executable, "-m", "archipel", *map(str, words)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False
        )
        if done.returncode not in codes:
            raise RunError(f"`archipel {words[0]} {words[1]}`: {done.stdout}{done.stderr}")
        return done.stdout

    def create(self, name: str, setting: Setting) -> Ledger:
        """Make a run and open its ledger."""
        config = self.folder / name / "config.json"
        config.parent.mkdir()
        config.write_text(json.dumps(setting.model()), encoding="utf-8")
        url = self.network.url(name)
        options = {
            "corpus": self.corpus,
            "model": config,
            "tokens": setting.tokens,
            "batch": setting.batch,
            "sequence": setting.sequence,
            **setting.options,
        }
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        self.archipel("run", "create", url, *words)
        return Ledger.open(Store(url))

    def site(self, ledger: Ledger, name: str) -> Site:
        """A site of the run, invited, that has not been started; it has a home of its own."""
        keyring = Keyring(config.home() / "keys")
        endpoint = {"AWS_ENDPOINT_URL": self.network.environment(name)["AWS_ENDPOINT_URL"]}
        token = invite(ledger.store, keyring, name, endpoint)
        return Site(self.network, token.encode(), name, self.folder)


def beats(ledger: Ledger, sites: Iterable[str]) -> dict[str, Heartbeat]:
    """The sites' heartbeats, as far as there are any."""
    seen = {site: ledger.sighting(site) for site in sites}
    return {site: sighting.heartbeat for site, sighting in seen.items() if sighting}


def points(ledger: Ledger, site: str) -> list[Point]:
    """All that a site's metrics say, oldest first."""
    found: list[dict[str, Any]] = [json.loads(line) for line in ledger.metrics(site).splitlines()]
    return found


def wait_until(
    what: str, happened: Callable[[], bool], sites: Iterable[Site], seconds: float
) -> None:
    """Poll until it has happened.

    Raises:
        RunError: a site ended with an error, or it took longer than `seconds`.
    """
    end = time.monotonic() + seconds
    while not happened():
        for site in sites:
            site.check()
        if time.monotonic() > end:
            raise RunError(f"waited {seconds:.0f} s in vain for this: {what}")
        time.sleep(_POLL_SECONDS)


def all_train(ledger: Ledger, sites: Iterable[Site]) -> Callable[[], bool]:
    """Whether every one of these sites has trained some steps and been merged once."""
    names = [site.name for site in sites]

    def happened() -> bool:
        found = beats(ledger, names)
        return len(found) == len(names) and all(
            beat.step > 20 and max(beat.applied.values(), default=-1) >= 0
            for beat in found.values()
        )

    return happened
