"""How fast `archipel finetune` learns, and in how much memory, beside TRL's `SFTTrainer`.

The same model, conversations, batch, optimiser and precision on the same cores, in turns; each side
in a process of its own. Seconds are those of training: neither start nor tokenising counts.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from archipel import config
from archipel.cli.provenance import ROOT
from archipel.errors import ConfigError
from benchmarks.peers.environment import peer_python
from benchmarks.tuning.material import make_material

_RATE, _BATCH = 4e-4, 32
_PEER = Path("build/trl")
_INSTALLED = (("torch==2.13.0",), ("trl==1.12.0",))
_MIB = 1 << 10  # of ru_maxrss's KiB


def run(quick: bool) -> dict[str, float | int | str]:
    """Measure both in turns; medians."""
    python = peer_python(_PEER, *_INSTALLED)
    size, conversations, rounds = ("nano", 640, 1) if quick else ("micro", 1280, 3)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as temporary:
        model, data = make_material(Path(temporary), size, conversations)
        for number in range(rounds):
            ours.append(_ours(model, data, Path(temporary) / f"tuned-{number}"))
            theirs.append(_theirs(python, model, data))
    seconds, peer_seconds = (median(one["seconds"] for one in side) for side in (ours, theirs))
    mib, peer_mib = (median(one["mib"] for one in side) for side in (ours, theirs))
    return {
        "size": size,
        "conversations": conversations,
        "rounds": rounds,
        "tokens": int(ours[0]["tokens"]),
        "tokens_per_second": round(ours[0]["tokens"] / seconds, 1),
        "trl_tokens_per_second": round(ours[0]["tokens"] / peer_seconds, 1),
        "ratio_to_trl": round(peer_seconds / seconds, 3),
        "peak_mib": round(mib),
        "trl_peak_mib": round(peer_mib),
        "last_loss": round(ours[0]["loss"], 4),
        "trl_last_loss": round(theirs[0]["loss"], 4),
    }


def _ours(model: Path, data: Path, out: Path) -> dict[str, float]:
    figures = out.with_suffix(".json")
    words = ["finetune", model, data, "-o", out, "--epochs", 1, "--batch", _BATCH, "--held-out", 0]
    words += ["--learning-rate", _RATE, "--threads", config.usable_cores(), "--json", figures]
    _, mib = _measured([sys.executable, "-m", "archipel", *map(str, words)])
    found = json.loads(figures.read_text())
    loss = sum(found["losses"][-5:]) / 5
    return {"seconds": found["seconds"], "tokens": found["tokens"], "loss": loss, "mib": mib}


def _theirs(python: Path, model: Path, data: Path) -> dict[str, float]:
    words = [ROOT / "benchmarks/tuning/trl_peer.py", model, data, config.usable_cores()]
    words += [_RATE, _BATCH]
    printed, mib = _measured([str(python), *map(str, words)])
    found = json.loads(printed.rpartition("figures ")[2])
    return {"seconds": found["seconds"], "loss": sum(found["losses"][-5:]) / 5, "mib": mib}


def _measured(command: Sequence[str]) -> tuple[str, float]:
    """What a process prints, and its largest size in memory, MiB.

    Raises:
        ConfigError: it fails.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ConfigError(f"`{' '.join(command)}` ended with {process.returncode}")
    return printed, usage.ru_maxrss / _MIB
