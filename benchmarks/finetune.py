"""`archipel finetune` against TRL's SFTTrainer: the same model, conversations, loss and optimiser.

A Llama with random weights learns the answers of English and French conversations, in bf16 on one
thread of the CPU. TRL takes the faster of two ways, rows of like lengths together or packed, and
runs in its own environment. Both run in turns, in processes of their own. Speeds are tokens of
prompts and answers, without padding, a second of processor time: what else the machine does tells
in it little, and in the wall clock (`wall_ratio_to_trl`) much. The held-out loss is measured of
both models by the same code.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from archipel.errors import RunError
from archipel.models.checkpoint import load_model
from archipel.tune.losses import AnswerLoss, Likelihood
from benchmarks.tuning.contest import Ran, Terms, run_archipel, run_trl
from benchmarks.tuning.material import Prepared, prepare

_WAYS = ("grouped", "packed")
_ALIKE = 0.05  # of the held-out loss: further apart, they did not learn the same
_MEASURED_TOKENS = 4096  # at once


@dataclass(frozen=True)
class _Scale:
    model: str
    most: int | None  # conversations
    epochs: int
    pairs: int


_QUICK = _Scale("nano", 160, epochs=1, pairs=3)
_FULL = _Scale("micro", None, epochs=2, pairs=5)


def run(quick: bool) -> dict[str, float | int | str]:
    """Measure pairs of runs; medians, and medians of the pairs' ratios."""
    scale = _QUICK if quick else _FULL
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepared = prepare(folder, scale.model, scale.most)
        model = load_model(prepared.model)
        width, context = model.config.hidden_size, model.config.max_position_embeddings
        terms = Terms(epochs=scale.epochs, batch=16, rate=0.1 / width, context=context)
        tried = {way: run_trl(prepared, terms, _new(folder), way) for way in _WAYS}
        way = max(tried, key=lambda name: tried[name].speed)
        pairs = []
        for _ in range(scale.pairs):
            ours = run_archipel(prepared, terms, _new(folder))
            pairs.append((ours, run_trl(prepared, terms, _new(folder), way)))
        return {
            "pairs": scale.pairs,
            "model": scale.model,
            "parameters": model.num_parameters(),
            "conversations": prepared.items,
            "epochs": scale.epochs,
            "batch": terms.batch,
            "trl_way": way,
            **{f"trl_{name}_tokens_per_cpu_second": _speed([ran]) for name, ran in tried.items()},
            **_compared(pairs),
            **_losses(prepared, *pairs[-1]),
        }


def _new(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


def _speed(runs: list[Ran]) -> int:
    return round(median(ran.speed for ran in runs))


def _compared(pairs: list[tuple[Ran, Ran]]) -> dict[str, float | int]:
    ours, theirs = (list(side) for side in zip(*pairs, strict=True))
    ratio = median(mine.speed / its.speed for mine, its in pairs)
    wall = median(its.seconds / mine.seconds for mine, its in pairs)
    memory = median(mine.peak_bytes / its.peak_bytes for mine, its in pairs)
    return {
        "tokens": ours[0].tokens,
        "trl_tokens": theirs[0].tokens,
        "tokens_per_cpu_second": _speed(ours),
        "trl_tokens_per_cpu_second": _speed(theirs),
        "ratio_to_trl": round(ratio, 3),
        "wall_ratio_to_trl": round(wall, 3),
        "peak_megabytes": round(median(ran.peak_bytes for ran in ours) / 1e6),
        "trl_peak_megabytes": round(median(ran.peak_bytes for ran in theirs) / 1e6),
        "memory_ratio_to_trl": round(memory, 3),
    }


def _losses(prepared: Prepared, ours: Ran, theirs: Ran) -> dict[str, float]:
    """Of the answers that neither has seen, nats a token, before and after."""
    folders = (prepared.model, ours.model, theirs.model)
    before, mine, its = (_loss(folder, prepared) for folder in folders)
    if abs(mine / its - 1) > _ALIKE:
        raise RunError(
            f"the held-out losses are {mine:.4f} and {its:.4f} nats, TRL's second: the two did not "
            "learn the same, and their speeds say nothing"
        )
    return {
        "held_out_loss_before": round(before, 4),
        "held_out_loss": round(mine, 4),
        "trl_held_out_loss": round(its, 4),
    }


def _loss(model: Path, prepared: Prepared) -> float:
    return AnswerLoss(Likelihood(load_model(model)), _MEASURED_TOKENS).measure(prepared.held_out)
