"""One site's training speed against the same model and batch in a bare PyTorch loop.

Both on the GPU where there is one, else on all cores, in turns, in one process; the site runs its
whole protocol on a folder.
"""

import json
import sysconfig
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch.nn.functional import cross_entropy

from archipel import config
from archipel.config import usable_cores
from archipel.corpus import BuildOptions, TokenReader, build_corpus, read_manifest
from archipel.ledger import Ledger, RunSpec
from archipel.ledger.invite import open_as_site
from archipel.ledger.keyring import Keyring
from archipel.models.checkpoint import new_model
from archipel.models.precision import autocast
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.train.group import pick_device
from archipel.train.kinds import run_config
from archipel.train.sharding import InsideOptions
from archipel.train.site import SiteOptions, run_site

_BARE_WARM_SECONDS = 3.0


@dataclass(frozen=True)
class _Terms:
    """What is trained: a model that keeps the device at work."""

    model: str
    vocab: int
    packages: tuple[str, ...]  # of the standard library
    batch_sequences: int
    sequence_tokens: int
    warm_seconds: float  # until H has settled


_TERMS = {
    "cpu": _Terms("nano", 4_096, ("asyncio", "email"), 8, 256, 3.0),
    "cuda": _Terms("base", 32_768, (".",), 32, 1_024, 25.0),
}


def run(quick: bool) -> dict[str, float | int | str]:
    """Measure pairs of a bare loop and a site, and return the medians."""
    pairs = 3 if quick else 5
    torch.set_num_threads(usable_cores())
    device = pick_device()
    terms = _TERMS[device.type]
    seconds = terms.warm_seconds + (9.0 if quick else 17.0)
    library = Path(sysconfig.get_path("stdlib"))
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        inputs = [library / name for name in terms.packages]
        build_corpus(inputs, corpus, BuildOptions(vocab_size=terms.vocab))
        options = RunOptions(
            model=terms.model,
            optimiser="adamw",
            tokens=1_000_000_000,
            sequence_tokens=terms.sequence_tokens,
            batch_sequences=terms.batch_sequences,
        )
        ledger = create_run(Store(str(Path(folder) / "run")), corpus, options)
        reader = TokenReader(corpus, read_manifest(corpus), "train")
        parameters = new_model(run_config(ledger.spec), 0).num_parameters()
        bare, site = [], []
        for number in range(pairs):
            bare.append(_bare_loop(ledger.spec, reader, device, seconds - terms.warm_seconds))
            site.append(_site(ledger, f"site-{number}", reader, terms, seconds))
    return {
        "pairs": pairs,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "threads": usable_cores(),
        "parameters": parameters,
        "batch_tokens": ledger.spec.inner.batch_tokens,
        "tokens_per_second": round(median(site)),
        "bare_loop_tokens_per_second": round(median(bare)),
        "ratio_to_bare_loop": round(
            median(ours / theirs for ours, theirs in zip(site, bare, strict=True)), 3
        ),
    }


def _bare_loop(spec: RunSpec, reader: TokenReader, device: torch.device, seconds: float) -> float:
    """Tokens per second of the plainest loop that trains this model, in so many seconds."""
    model = new_model(run_config(spec), spec.seed).train()
    torch.nn.Module.to(model, device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), fused=True)
    shape = (spec.inner.batch_sequences, spec.inner.sequence_tokens)
    steps, began = 0, time.monotonic()
    first = None
    while time.monotonic() - began < seconds + _BARE_WARM_SECONDS:
        start = steps * spec.inner.batch_tokens % (reader.tokens - spec.inner.batch_tokens - 1)
        flat = torch.from_numpy(reader.read(start, spec.inner.batch_tokens + 1)).to(device)
        with autocast(device):
            logits = model(input_ids=flat[:-1].view(shape), use_cache=False).logits
        loss = cross_entropy(logits.float().flatten(0, 1), flat[1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        loss.item()
        steps += 1
        if first is None and time.monotonic() - began > _BARE_WARM_SECONDS:
            first = (steps, time.monotonic())
    assert first is not None
    return (steps - first[0]) * spec.inner.batch_tokens / (time.monotonic() - first[1])


def _site(ledger: Ledger, name: str, reader: TokenReader, terms: _Terms, seconds: float) -> float:
    """Tokens per second of a site, from the metrics that it put into the ledger."""
    stop = threading.Event()
    timer = threading.Timer(seconds + 1.0, stop.set)
    timer.start()
    with tempfile.TemporaryDirectory() as own:
        ours = open_as_site(ledger.store, Keyring(config.keys_folder()), name)
        run_site(ours, name, reader, stop, SiteOptions(Path(own), InsideOptions()))
    timer.join()
    points = [json.loads(line) for line in ledger.metrics(name).splitlines()]
    points = [point for point in points if "time" in point]
    warm = [point for point in points if point["time"] > points[0]["time"] + terms.warm_seconds]
    tokens = warm[-1]["tokens"] - warm[0]["tokens"]
    return float(tokens / (warm[-1]["time"] - warm[0]["time"]))
