"""What it costs a site of two processes that rank 0 gathers and scatters fragments.

Seconds of a step, of one fragment's capture and correction, and of saving the optimiser's state, on
one process with two threads and on two processes with one each (DDP, FSDP2), over gloo.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from transformers import PreTrainedModel

from archipel.cli.provenance import ROOT
from archipel.ledger import InnerSpec
from archipel.models.checkpoint import new_model
from archipel.models.sizes import model_config
from archipel.train.fragments import Fragment, split
from archipel.train.group import Group, open_group
from archipel.train.replica import Replica, follow
from archipel.train.sharding import InsideOptions

_VOCABULARY, _TOKENS, _SEQUENCES = 4096, 256, 8
_FRAGMENTS, _SYNC_STEPS = 4, 32
_SPEC = InnerSpec(
    learning_rate=1e-3, warmup_tokens=0, batch_sequences=_SEQUENCES, sequence_tokens=_TOKENS
)


def run(quick: bool) -> dict[str, float | int]:
    """Measure one process, DDP and FSDP2 in turns; medians."""
    rounds = 1 if quick else 3
    found: dict[str, list[dict[str, float]]] = {"one": [], "ddp": [], "fsdp": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for layout, results in found.items():
                results.append(_measured(layout, Path(folder) / "figures.json"))
    figures: dict[str, float | int] = {
        "rounds": rounds,
        "parameters": sum(part.values for part in _fragments()),
        "fragments": _FRAGMENTS,
        "batch_tokens": _SPEC.batch_tokens,
    }
    for layout, results in found.items():
        for key in results[0]:
            figures[f"{layout}_{key}"] = round(median(one[key] for one in results), 5)
        exchange = figures[f"{layout}_capture_seconds"] + figures[f"{layout}_add_seconds"]
        steps = _SYNC_STEPS * figures[f"{layout}_step_seconds"]
        figures[f"{layout}_exchange_share"] = round(_FRAGMENTS * exchange / steps, 5)
    return figures


def _measured(layout: str, file: Path) -> dict[str, float]:
    processes = 1 if layout == "one" else 2
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), "-m", "benchmarks.inside", layout, str(file)]
    subprocess.run(command, check=True, cwd=ROOT)
    figures: dict[str, float] = json.loads(file.read_text())
    return figures


def _model() -> PreTrainedModel:
    config = model_config("nano", vocab_size=_VOCABULARY, context=_TOKENS, end_of_text_id=0)
    return new_model(config, 0)


def _fragments() -> list[Fragment]:
    with torch.device("meta"):
        model = _model()
    return split({name: tuple(p.shape) for name, p in model.named_parameters()}, _FRAGMENTS)


def _replica(group: Group, layout: str) -> Replica:
    options = InsideOptions(sharding="fsdp" if layout == "fsdp" else "ddp")
    return Replica(_model(), _fragments(), _SPEC, options, group)


def _seconds(repeat: int, work: Callable[[int], object]) -> float:
    """The median of some calls; the first is left out."""
    seconds = []
    for number in range(repeat + 1):
        began = time.perf_counter()
        work(number)
        seconds.append(time.perf_counter() - began)
    return median(seconds[1:])


def _figures(replica: Replica) -> dict[str, float]:
    batch = np.random.default_rng(0).integers(0, _VOCABULARY, (2, _SEQUENCES, _TOKENS))
    corrections = [np.zeros(part.values, np.float32) for part in _fragments()]
    return {
        "step_seconds": _seconds(20, lambda _: replica.step(batch[0], batch[1], 1e-3)),
        "capture_seconds": _seconds(20, lambda n: replica.capture(n % _FRAGMENTS)),
        "add_seconds": _seconds(
            20, lambda n: replica.add(n % _FRAGMENTS, corrections[n % _FRAGMENTS])
        ),
        "optimiser_state_seconds": _seconds(5, lambda _: replica.optimiser_state()),
    }


if __name__ == "__main__":
    layout, file = sys.argv[1], Path(sys.argv[2])
    with open_group() as group:
        torch.set_num_threads(2 // group.size)
        if group.rank:
            follow(group, partial(_replica, group, layout))
        else:
            replica = _replica(group, layout)
            file.write_text(json.dumps(_figures(replica)))
            replica.close()
