"""The demo's set-up and products: corpus, run, exported model, chat model."""

import os
import platform
import shutil
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from archipel import config
from archipel.corpus import BuildOptions, TokenReader, build_corpus, read_manifest
from archipel.errors import ArchipelError
from archipel.ledger import InnerSpec, Ledger
from archipel.models.checkpoint import new_model
from archipel.models.pull import pull
from archipel.models.sizes import model_config
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.train.export import export_run
from archipel.train.group import Group
from archipel.train.inner import InnerOptimiser
from archipel.train.sharding import InsideOptions

SITES = ("athens", "bergen", "cadiz")
CHAT_MODEL = "smollm2-135m"
_SIZE = "nano"
_BATCH_SEQUENCES = 2
_SEQUENCE_TOKENS = 256
_LEARNING_RATE = 2e-3
_MEASURE_STEPS = 12
# Not text that people wrote to be read: installed packages, tests, data tables.
_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "encodings"}


@dataclass
class Stage:
    """Where the demo plays: a corpus kept between demos, and a folder for this one's run."""

    home: Path
    name: str
    minutes: float
    console: Console

    @property
    def folder(self) -> Path:
        """This demo's own folder."""
        return self.home / self.name

    @property
    def corpus(self) -> Path:
        """The corpus's folder."""
        return self.home / f"corpus-{platform.python_version()}"

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, soft_wrap=True, markup=False)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Announce a step and, at its end, the time that it took."""
        started = time.monotonic()
        with self.console.status(text):
            yield
        self.say(f"{text:<44} {time.monotonic() - started:5.1f} s")

    def prepare(self) -> Ledger:
        """Build the corpus and create the run; the records of earlier demos' runs make room."""
        for earlier in self.home.glob("????????-??????/run"):
            shutil.rmtree(earlier)
        with self.step("corpus from the Python standard library"):
            build_corpus(_standard_library(), self.corpus, BuildOptions())
        with self.step("measure this machine, create the run"):
            tokens = int(self.minutes * 60 * _tokens_per_second(self.corpus))
            options = RunOptions(
                model=_SIZE,
                tokens=tokens,
                sync_steps=12,
                optimiser="adamw",  # on small batches and a CPU, Muon's own products cost too much
                batch_sequences=_BATCH_SEQUENCES,
                sequence_tokens=_SEQUENCE_TOKENS,
                learning_rate=_LEARNING_RATE,
                heartbeat_seconds=0.5,
                dead_after_seconds=4.0,
                snapshot_every_cycles=12,
                keep_history=True,
            )
            return create_run(Store(str(self.folder / "run")), self.corpus, options)


def _standard_library() -> list[Path]:
    folder = Path(sysconfig.get_paths()["stdlib"])
    return sorted(
        path
        for path in folder.iterdir()
        if path.name not in _LEFT_OUT and (path.is_dir() or path.suffix == ".py")
    )


def site_cores() -> list[set[int]]:
    """The cores of this process dealt out to the sites; where there are fewer, some are shared."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < len(SITES):
        return [
            {cores[min(index, len(cores) - 1)]} if cores else set() for index in range(len(SITES))
        ]
    return [set(cores[index :: len(SITES)]) for index in range(len(SITES))]


def _tokens_per_second(corpus: Path) -> float:
    """What all sites together should reach: one core's speed here, times the cores."""
    manifest = read_manifest(corpus)
    reader = TokenReader(corpus, manifest, "train")
    spec = InnerSpec(
        learning_rate=_LEARNING_RATE,
        warmup_tokens=0,
        batch_sequences=_BATCH_SEQUENCES,
        sequence_tokens=_SEQUENCE_TOKENS,
    )
    size = model_config(
        _SIZE,
        vocab_size=manifest.vocab_size,
        context=_SEQUENCE_TOKENS,
        end_of_text_id=manifest.end_of_text_id,
    )
    alone = Group(torch.device("cpu"))
    inner = InnerOptimiser(new_model(size, 0), spec, InsideOptions(), alone)
    tokens = torch.from_numpy(reader.read(0, spec.batch_tokens + 1))
    shape = (_BATCH_SEQUENCES, _SEQUENCE_TOKENS)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = []
    for _ in range(_MEASURE_STEPS):
        started = time.monotonic()
        inner.step(
            tokens[:-1].reshape(shape), tokens[1:].reshape(shape), 0.0, targets=spec.batch_tokens
        )
        seconds.append(time.monotonic() - started)
    torch.set_num_threads(threads)
    return spec.batch_tokens / sorted(seconds)[_MEASURE_STEPS // 2] * config.usable_cores()


def export_model(stage: Stage, ledger: Ledger) -> Path:
    """The trained model as a checkpoint with a GGUF inside."""
    with stage.step("export the trained model (checkpoint, GGUF)"):
        exported = export_run(ledger, stage.folder / "model", name="trained", gguf="f16")
    assert exported.gguf is not None
    return exported.gguf


def pull_chat_model(stage: Stage) -> dict[str, Path]:
    """The small chat model by its name; nothing where it can't be had: the demo goes on without."""
    try:
        with stage.step(f"pull the chat model {CHAT_MODEL}"):
            pulled = pull(CHAT_MODEL, home=config.home(), progress=lambda done, total: None)
            return {CHAT_MODEL: pulled.path}
    except ArchipelError as error:
        stage.say(f"without the chat model: {error}")
        return {}
