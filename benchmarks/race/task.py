"""What every peer of the WAN benchmark is given, and the batches and lines that all share."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from archipel.corpus import TokenReader, read_manifest
from archipel.files import write_atomic
from archipel.ledger import InnerSpec, OuterSpec
from archipel.models.checkpoint import new_model
from archipel.models.sizes import model_config
from archipel.train.inner import learning_rate

_POLL_SECONDS = 0.01
_CURVE_POINTS = 12
_UNIT_STEPS = 32  # as `archipel run create` has it: a site trains so many steps on one stretch


@dataclass(frozen=True, kw_only=True)
class Task:
    """One peer's training run. `sites` sequences make a global batch, one a site."""

    way: str  # one of `benchmarks.wan`'s
    sites: int
    processes: int  # as many as there are sites, or one that takes their whole batch
    config: str  # the model's config.json
    corpus: str  # a folder
    sequence: int
    steps: int  # to train
    schedule_steps: int  # that the learning rate is laid out for
    peak_rate: float
    warmup_tokens: int
    sync_steps: int
    outer_rate: float
    outer_momentum: float
    seed: int
    folder: str  # where parameters are kept, and where the file `go` says: begin
    address: str  # of rank 0, as the others reach it
    lighthouse: str  # torchft's

    @property
    def global_batch_tokens(self) -> int:
        """Tokens that all sites together train in one step."""
        return self.sites * self.sequence

    @property
    def inner(self) -> InnerSpec:
        """The inner optimiser of a site."""
        return InnerSpec(
            optimiser="muon",
            learning_rate=self.peak_rate,
            warmup_tokens=self.warmup_tokens,
            batch_sequences=1,
            sequence_tokens=self.sequence,
        )

    @property
    def outer(self) -> OuterSpec:
        """The outer optimiser."""
        return OuterSpec(learning_rate=self.outer_rate, momentum=self.outer_momentum)

    def write(self, file: Path) -> None:
        """Write it for the processes of the peer."""
        write_atomic(file, json.dumps(asdict(self)).encode())

    @classmethod
    def read(cls, file: Path) -> "Task":
        """Read what `write` wrote."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def model(self) -> PreTrainedModel:
        """The model, the same parameters in every process."""
        manifest = read_manifest(Path(self.corpus))
        found = model_config(
            self.config,
            vocab_size=manifest.vocab_size,
            context=self.sequence,
            end_of_text_id=manifest.end_of_text_id,
        )
        model: PreTrainedModel = new_model(found, self.seed).train()
        return model

    def rate(self, step: int) -> float:
        """The inner learning rate of a step, as Archipel's sites have it."""
        tokens = step * self.global_batch_tokens
        budget = self.schedule_steps * self.global_batch_tokens
        return learning_rate(self.inner, tokens=tokens, budget_tokens=budget, step=step)

    def batches(self, rank: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Inputs and targets, int64 [sequences, tokens], of each step of one process.

        Each site takes stretches of text in a seeded order, as Archipel's sites do.
        """
        folder = Path(self.corpus)
        reader = TokenReader(folder, read_manifest(folder), "train")
        unit_tokens = _UNIT_STEPS * self.sequence
        order = np.random.default_rng([self.seed, 0]).permutation(
            (reader.tokens - 1) // unit_tokens
        )
        width = self.sites // self.processes
        for step in range(self.steps):
            row, at = divmod(step, _UNIT_STEPS)
            units = order[row * self.sites + rank * width :][:width]
            starts = units * unit_tokens + at * self.sequence
            flat = np.stack([reader.read(int(start), self.sequence + 1) for start in starts])
            x_BT, y_BT = flat[:, :-1].copy(), flat[:, 1:].copy()
            yield torch.from_numpy(x_BT), torch.from_numpy(y_BT)


class Report:
    """What a process tells the benchmark: lines on standard output, parameters in files."""

    def __init__(self, task: Task, rank: int) -> None:
        self._task = task
        self._rank = rank
        self._next = 0.0

    def await_start(self) -> None:
        """Say that all is loaded, and wait until links and shares of the CPU are set."""
        print(json.dumps({"ready": True}), flush=True)
        while not (Path(self._task.folder) / "go").exists():
            time.sleep(_POLL_SECONDS)

    def step(self, step: int, **facts: Any) -> None:
        """A step is done; `step` counts from 1."""
        if self._rank == 0:
            now = {"time": time.time(), "core_seconds": time.thread_time()}
            print(json.dumps({**now, "step": step, **facts}), flush=True)

    def keep(self, step: int, parameters: list[torch.Tensor]) -> None:
        """The merged parameters after a step: kept where the curve needs another point."""
        share = step / self._task.steps
        if self._rank or (share < self._next and step != self._task.steps):
            return
        self._next = share + 1 / _CURVE_POINTS
        flat = torch.cat([p.detach().flatten() for p in parameters]).numpy()
        name = f"step-{step}.npy"
        np.save(Path(self._task.folder) / name, flat)
        self.step(step, kept=name)
