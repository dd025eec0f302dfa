"""Held-out loss of four sites on slow links against data-parallel training at a single site.

Equal tokens, equal global batches, each way of training with its own tuned learning rate, three
seeds. The sites are emulated (`benchmarks.emulation`): same arithmetic, no network. Finished runs
are kept in build/parity/runs.jsonl, so that a measurement that was stopped goes on where it was.
`python -m benchmarks.parity tune` runs the learning rates' grid, `… late` cuts sites off for a
while, `… plot` draws docs/parity.png.
"""

import hashlib
import json
import logging
import lzma
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Literal

import torch

from archipel.cli.provenance import ROOT
from archipel.corpus import BuildOptions, Manifest, TokenReader, build_corpus, read_manifest
from archipel.errors import ConfigError
from archipel.evaluate.loss import held_out_loss
from archipel.files import read_json, write_atomic
from archipel.ledger import InnerSpec, OuterSpec
from benchmarks.emulation.sites import Away, Plan, train
from benchmarks.emulation.stacked import Shape

SHAPE = Shape(hidden=32, layers=2, heads=2, kv_heads=1, feed_forward=96, vocab=512, context=64)
SEEDS = (0, 1, 2)
TOKENS_PER_PARAMETER, QUICK_TOKENS_PER_PARAMETER = 40, 4
_TEXT = ROOT.parent / "shared" / "data" / "text" / "novels_en.jsonl.xz"
_FOLDER = ROOT / "build" / "parity"
_DOCUMENT_CHARACTERS = 4_000  # a novel is cut into documents of the length of a page on the web
_HELD_OUT_TOKENS = 150_000
_SEQUENCES = 4  # a site's, in an inner step
_SITES = 4
_WARMUP_SHARE = 0.05

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arm:
    """One way to train, with the best of the learning rates tried for it on seed 0."""

    learning_rate: float
    optimiser: Literal["adamw", "muon"] = "muon"
    sites: int = _SITES
    sync_steps: int = 30
    codec: str = "none"
    outer_rate: float = 0.7
    outer_momentum: float = 0.5
    delay_steps: int = 2  # from a fragment's capture to its correction
    rate_power: float = 0.0  # 1: H grows as the learning rate falls, in as many rounds
    cuts: bool = False  # whether each site in turn is cut off for ten rounds
    weigh_by_round: bool = True  # a site that is back: by its tokens a round, or by all of them


# auto: at 100 Mbit/s, sites of one core each exchange int4 every 4 steps (docs/decisions/0006).
ARMS = {
    "data_parallel": Arm(0.016, sites=1),
    "data_parallel_adamw": Arm(0.016, "adamw", sites=1),
    "int4": Arm(0.016, codec="int4"),
    "sparse": Arm(0.032, codec="sparse", outer_rate=1.0, outer_momentum=0.0),
    "auto": Arm(0.016, codec="int4", sync_steps=4, outer_rate=1.0, outer_momentum=0.0),
}


CANDIDATES = {"int4, H follows the rate": replace(ARMS["int4"], rate_power=1.0)}
_COMPARED = ("int4", "sparse", "auto")
RATES = (0.008, 0.016, 0.032)


def run(quick: bool) -> dict[str, Any]:
    """Train every arm with every seed, and compare each with data-parallel of the same seed."""
    runs = Runs(QUICK_TOKENS_PER_PARAMETER if quick else TOKENS_PER_PARAMETER)
    seeds = SEEDS[:1] if quick else SEEDS
    done = {(name, seed): runs.of(arm, seed) for seed in seeds for name, arm in ARMS.items()}
    losses = {name: [done[name, seed]["loss"] for seed in seeds] for name in ARMS}
    ratios = {
        name: [ours / theirs for ours, theirs in zip(values, losses["data_parallel"], strict=True)]
        for name, values in losses.items()
    }
    first = done["int4", 0]
    return {
        **{f"loss_ratio_{name}": round(median(ratios[name]), 4) for name in _COMPARED},
        **{f"loss_ratios_{name}": [round(ratio, 4) for ratio in ratios[name]] for name in ratios},
        "losses": losses,
        "rounds": {name: done[name, 0]["rounds"] for name in ARMS},
        "contribution_bits_per_parameter": {
            name: round(done[name, 0]["contribution_bits"], 3) for name in _COMPARED
        },
        "seeds": len(seeds),
        "parameters": first["parameters"],
        "tokens_per_parameter": runs.tokens_per_parameter,
        "steps": first["steps"],
        "global_batch_tokens": _SITES * _SEQUENCES * SHAPE.context,
        "arms": {name: asdict(arm) for name, arm in ARMS.items()},
    }


def tune() -> None:
    """Train every arm with every learning rate of the grid, on seed 0, and print the losses."""
    runs = Runs(TOKENS_PER_PARAMETER)
    for name, arm in (ARMS | CANDIDATES).items():
        for rate in RATES:
            loss = runs.of(replace(arm, learning_rate=rate), 0)["loss"]
            print(f"{name:26} {rate:.3f}  {loss:.4f}", flush=True)


def late() -> None:
    """What cut-off sites cost, by how they weigh when they are back: against nobody cut off."""
    runs, calm = Runs(TOKENS_PER_PARAMETER), ARMS["int4"]
    for seed in SEEDS:
        undisturbed = runs.of(calm, seed)["loss"]
        for by_round, rule in ((True, "its tokens a round"), (False, "all its tokens")):
            cut = replace(calm, cuts=True, weigh_by_round=by_round)
            ratio = runs.of(cut, seed)["loss"] / undisturbed
            print(f"seed {seed}, weighing by {rule:18}  {100 * (ratio - 1):+.2f} %", flush=True)


def plot() -> None:
    """Draw docs/parity.png: how far each arm's held-out loss is from data-parallel's."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figures = read_json(ROOT / "benchmarks" / "results" / "parity.json")["figures"]
    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    for row, name in enumerate(reversed(_COMPARED)):
        apart = [100 * (ratio - 1) for ratio in figures[f"loss_ratios_{name}"]]
        axes.plot(apart, [row] * len(apart), "o", color="#2a78b8", alpha=0.6)
        axes.plot(median(apart), row, "|", color="black", ms=22, mew=2)
    arms = [ARMS[name] for name in reversed(_COMPARED)]
    labels = [f"{arm.codec}, H = {arm.sync_steps}" for arm in arms]
    axes.set_yticks(range(len(arms)), labels)
    axes.axvline(0, color="grey", lw=1)
    axes.set(xlabel="held-out loss above data-parallel's, %", ylim=(-0.6, len(arms) - 0.4))
    title = "Four sites against one, equal tokens and batches: three seeds and their median"
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(ROOT / "docs" / "parity.png", dpi=130)


class Runs:
    """Training runs: those in runs.jsonl, and new ones, which are added to it."""

    def __init__(self, tokens_per_parameter: int) -> None:
        self.tokens_per_parameter = tokens_per_parameter
        self._manifest = _corpus()
        self._train = TokenReader(_FOLDER / "corpus", self._manifest, "train")
        self._held_out = TokenReader(_FOLDER / "corpus", self._manifest, "held_out")
        self._model = SHAPE.model(0)
        self._path = _FOLDER / "runs.jsonl"

    def of(self, arm: Arm, seed: int) -> dict[str, Any]:
        """The run's figures: loss, parameters, steps, rounds, contribution_bits, seconds."""
        plan = self._plan(arm, seed)
        key = hashlib.sha256(f"{self._manifest.digest} {plan}".encode()).hexdigest()
        for line in self._path.read_text().splitlines() if self._path.exists() else ():
            kept: dict[str, Any] = json.loads(line)
            if kept["key"] == key:
                return kept
        torch.set_num_threads(1)
        began = time.monotonic()
        result = train(plan, self._train)
        torch.nn.utils.vector_to_parameters(
            torch.from_numpy(result.parameters), self._model.parameters()
        )
        figures = {
            "key": key,
            "loss": held_out_loss(
                self._model, self._held_out, sequence_tokens=SHAPE.context, tokens=_HELD_OUT_TOKENS
            ),
            "parameters": len(result.parameters),
            "steps": plan.steps,
            "rounds": result.rounds,
            "contribution_bits": 8
            * result.payload_bytes
            / max(1, result.rounds * arm.sites * len(result.parameters)),
            "seconds": round(time.monotonic() - began, 1),
            "seed": seed,
            "arm": asdict(arm),
        }
        with self._path.open("a") as file:
            file.write(json.dumps(figures) + "\n")
        log.info("%s, seed %s: loss %.4f in %s s", arm, seed, figures["loss"], figures["seconds"])
        return figures

    def _plan(self, arm: Arm, seed: int) -> Plan:
        values = sum(parameter.numel() for parameter in self._model.parameters())
        batch = _SEQUENCES * SHAPE.context
        budget = self.tokens_per_parameter * values // (_SITES * batch) * _SITES * batch
        inner = InnerSpec(
            optimiser=arm.optimiser,
            learning_rate=arm.learning_rate,
            warmup_tokens=int(_WARMUP_SHARE * budget),
            batch_sequences=_SEQUENCES,
            sequence_tokens=SHAPE.context,
        )
        return Plan(
            shape=SHAPE,
            inner=inner,
            budget_tokens=budget,
            seed=seed,
            sites=arm.sites,
            batches=_SITES,
            sync_steps=arm.sync_steps,
            outer=OuterSpec(learning_rate=arm.outer_rate, momentum=arm.outer_momentum),
            codec=arm.codec,
            delay_steps=arm.delay_steps,
            rate_power=arm.rate_power,
            away=_cuts(budget // (_SITES * batch), arm.sync_steps) if arm.cuts else (),
            weigh_by_round=arm.weigh_by_round,
        )


def _cuts(steps: int, sync_steps: int) -> tuple[Away, ...]:
    """Each site cut off for ten rounds, one after the other, spread over the run."""
    starts = [steps * (site + 1) // (_SITES + 1) for site in range(_SITES)]
    return tuple(Away(site, at, at + 10 * sync_steps) for site, at in enumerate(starts))


def _corpus() -> Manifest:
    """The corpus: built once, of the novels cut into pages."""
    folder, pages = _FOLDER / "corpus", _FOLDER / "pages.jsonl"
    if not (folder / "manifest.json").exists():
        if not _TEXT.exists():
            raise ConfigError(f"{_TEXT} is missing: the measurement trains on these novels")
        with lzma.open(_TEXT, "rt") as lines:
            texts = [json.loads(line)["text"] for line in lines]
        documents = [json.dumps({"text": page}) for text in texts for page in _pages(text)]
        write_atomic(pages, "\n".join(documents).encode())
        build_corpus([pages], folder, BuildOptions(vocab_size=SHAPE.vocab, held_out=0.02))
    return read_manifest(folder)


def _pages(text: str) -> Iterator[str]:
    """The text in pieces that end with a paragraph."""
    page, size = [], 0
    for paragraph in text.split("\n"):
        page.append(paragraph)
        size += len(paragraph)
        if size >= _DOCUMENT_CHARACTERS:
            yield "\n".join(page)
            page, size = [], 0
    if page:
        yield "\n".join(page)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    {"tune": tune, "plot": plot, "late": late}[sys.argv[1]]()
