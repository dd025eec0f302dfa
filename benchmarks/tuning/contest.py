"""One run of a contestant: a process of its own, its speed, its memory and the model it made."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from archipel.errors import RunError
from archipel.files import read_json, write_json
from archipel.models.precision import precision
from benchmarks.peers.environment import peer_python
from benchmarks.tuning.material import Prepared

_FOLDER = Path("build/trl")
_INSTALLED = (("torch==2.13.0",), ("trl==1.16.0",))
_LOOK_SECONDS = 0.05
_WARMUP = 0.05  # of the steps, as `archipel finetune` has it


@dataclass(frozen=True)
class Terms:
    """What is the same for both; `batch` counts conversations."""

    epochs: int
    batch: int
    rate: float
    context: int


@dataclass(frozen=True)
class Ran:
    """What a run came to, while it learnt: no padding is counted, and no start-up."""

    tokens: int
    cpu_seconds: float
    seconds: float
    peak_bytes: int  # of the whole process
    model: Path

    @property
    def speed(self) -> float:
        """Tokens a second of processor time, of the one thread."""
        return self.tokens / self.cpu_seconds


def run_archipel(prepared: Prepared, terms: Terms, folder: Path) -> Ran:
    """What `archipel finetune` does.

    Raises:
        RunError: it failed.
    """
    return _ran([sys.executable, "-m", "benchmarks.tuning.own"], prepared, folder, vars(terms))


def run_trl(prepared: Prepared, terms: Terms, folder: Path, way: str) -> Ran:
    """TRL's SFTTrainer, with rows of like lengths together (`grouped`), or `packed`.

    Raises:
        ConfigError: it can't be installed.
        RunError: it failed.
    """
    python = peer_python(_FOLDER, *_INSTALLED)
    steps = terms.epochs * -(-prepared.items // terms.batch)
    step_tokens = terms.batch * prepared.tokens / prepared.items
    task = {
        **vars(terms),
        "way": way,
        "bf16": precision(torch.device("cpu")) == torch.bfloat16,
        "rows": max(1, round(step_tokens / terms.context)),
        "warmup": max(1, round(_WARMUP * steps)),
    }
    return _ran([python, Path(__file__).with_name("trl_peer.py")], prepared, folder, task)


def _ran(words: Sequence[object], prepared: Prepared, folder: Path, task: Mapping[str, Any]) -> Ran:
    files = {
        "model": prepared.model,
        "data": prepared.data,
        "out": folder / "tuned",
        "figures": folder / "figures.json",
    }
    write_json(folder / "task.json", {**task, **{key: str(path) for key, path in files.items()}})
    peak = _watched([str(word) for word in (*words, folder / "task.json")])
    return Ran(**read_json(files["figures"]), peak_bytes=peak, model=files["out"])


def _watched(command: Sequence[str]) -> int:
    """Run it to its end; the most memory that it held, bytes."""
    alone = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    with tempfile.TemporaryFile() as log:
        peak = 0
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **alone})
        try:
            while process.poll() is None:
                peak = max(peak, _peak_bytes(process.pid))
                time.sleep(_LOOK_SECONDS)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            log.seek(0)
            tail = log.read().decode(errors="replace")[-2000:]
            raise RunError(f"{command[1:3]} ended with {process.returncode}:\n{tail}")
    return peak


def _peak_bytes(process: int) -> int:
    """The kernel's own mark of it; 0 of a process that has just ended."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return 1024 * int(found[0]) if found else 0
