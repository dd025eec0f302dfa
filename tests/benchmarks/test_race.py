"""The WAN benchmark's peers, as real processes on loopback, and its figures."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from archipel.cli.provenance import ROOT
from archipel.corpus import BuildOptions, build_corpus
from benchmarks.race.figures import (
    UNLINKED,
    Outcome,
    Point,
    Results,
    figures_of,
    loss_at,
    mean_of,
    paced,
    seconds_below,
    seconds_to,
)
from benchmarks.race.peer import PACKERS
from benchmarks.race.task import Task

CONFIG = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "tie_word_embeddings": True,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    options = BuildOptions(vocab_size=300, held_out=0.1)
    build_corpus([ROOT / "docs"], folder / "corpus", options)
    return folder / "corpus"


def trained(way: str, processes: int, corpus: Path, folder: Path) -> np.ndarray:
    """The parameters that a peer of two sites has in the end."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    task = Task(
        way=way,
        sites=2,
        processes=processes,
        config=str(folder / "config.json"),
        corpus=str(corpus),
        sequence=16,
        steps=6,
        schedule_steps=24,
        peak_rate=0.01,
        warmup_tokens=64,
        sync_steps=3,
        outer_rate=0.7,
        outer_momentum=0.5,
        seed=0,
        folder=str(folder),
        address="127.0.0.1",
        lighthouse="",
    )
    task.write(folder / "task.json")
    (folder / "go").touch()
    command = [sys.executable, "-m", "benchmarks.race.peer", str(folder / "task.json")]
    peers = [
        subprocess.Popen([*command, str(rank)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for rank in range(processes)
    ]
    outputs = [peer.communicate(timeout=120)[0] for peer in peers]
    assert [peer.returncode for peer in peers] == [0] * processes
    lines = [json.loads(line) for line in outputs[0].splitlines()]
    assert [line["step"] for line in lines if "step" in line and "kept" not in line] == [
        *range(1, 7)
    ]
    return np.load(folder / "step-6.npy")


def test_data_parallel_sites_end_where_one_site_with_all_their_batches_does(
    corpus: Path, tmp_path: Path
) -> None:
    alone = trained("alone", 1, corpus, tmp_path / "alone")
    together = trained("data-parallel", 2, corpus, tmp_path / "together")
    assert np.linalg.norm(together - alone) < 0.02 * np.linalg.norm(alone)


def test_blocking_sites_merge_close_to_each_other_whatever_the_codes(
    corpus: Path, tmp_path: Path
) -> None:
    half = trained("blocking-fp16", 2, corpus, tmp_path / "half")
    byte = trained("blocking-uint8", 2, corpus, tmp_path / "byte")
    apart = trained("apart", 2, corpus, tmp_path / "apart")
    assert np.linalg.norm(half - byte) < 0.2 * np.linalg.norm(half - apart)


@pytest.mark.parametrize(
    ("name", "bytes_", "error"), [("blocking-fp16", 2, 1e-3), ("blocking-uint8", 1, 0.03)]
)
def test_codes_keep_the_values_and_are_as_short_as_they_say(
    name: str, bytes_: int, error: float
) -> None:
    pack, unpack = PACKERS[name]
    values = 1e-3 * torch.randn(10_000, generator=torch.Generator().manual_seed(0))
    packed = pack(values)
    assert packed.dtype == torch.uint8
    assert len(packed) <= 10_000 * bytes_ + 8
    assert (unpack(packed) - values).norm() < error * values.norm()


def point(seconds: float, tokens: int, loss: float) -> Point:
    return Point(seconds=seconds, tokens=tokens, wan_bytes=10.0 * tokens, loss=loss)


WHOLE = Outcome(
    seconds=10.0,
    tokens=1000,
    wan_bytes=0.0,
    finished=True,
    curve=[point(1, 100, 6.0), point(5, 500, 5.0), point(10, 1000, 4.0)],
)
CUT = Outcome(seconds=100.0, tokens=200, wan_bytes=2e6, finished=False, curve=[point(50, 100, 6.0)])


def test_a_loss_is_reached_between_the_points_around_it() -> None:
    assert seconds_to(WHOLE.curve, 4.5) == 7.5
    assert seconds_to(WHOLE.curve, 3.9) is None
    assert loss_at(WHOLE.curve, 750) == 4.5
    assert loss_at(WHOLE.curve, 1001) is None


def test_below_a_loss_for_good_is_after_the_last_point_above_it() -> None:
    curve = [*WHOLE.curve, point(20, 2000, 4.6), point(30, 3000, 4.4)]
    assert seconds_to(curve, 4.5) == 7.5
    assert seconds_below(curve, 4.5) == 25.0
    assert seconds_below(curve, 4.3) is None
    assert seconds_below(WHOLE.curve, 6.0) == 1.0


def test_a_run_that_was_cut_short_has_the_other_ones_losses_at_its_own_pace() -> None:
    found = paced(CUT, WHOLE)
    assert [(p.seconds, p.tokens, p.loss) for p in found.curve] == [
        (50, 100, 6.0),
        (250, 500, 5.0),
        (500, 1000, 4.0),
    ]
    assert found.curve[-1].wan_bytes == 1e7
    assert not found.finished


def test_several_seeds_are_one_outcome_with_the_mean_of_their_curves() -> None:
    other = replace(
        WHOLE, seconds=20.0, curve=[point(2, 100, 6.2), point(12, 600, 5.4), point(18, 900, 4.8)]
    )
    found = mean_of([WHOLE, other])
    assert [p.tokens for p in found.curve] == [100, 500]  # only one of them has a thousand
    assert [p.loss for p in found.curve] == pytest.approx([6.1, 5.28])
    assert [p.seconds for p in found.curve] == pytest.approx([1.5, 7.5])
    assert (found.seconds, found.tokens, found.seeds) == (15.0, 1000, 2)


def test_what_has_no_curve_has_none_as_a_mean_either() -> None:
    found = mean_of([replace(WHOLE, curve=[])])
    assert (found.curve, found.tokens, found.training_cores) == ([], 1000, None)


def test_figures_compare_at_the_same_tokens_and_name_what_failed() -> None:
    results = Results(
        {
            (UNLINKED, "alone"): WHOLE,
            ("slow", "apart"): WHOLE,
            ("slow", "data-parallel"): CUT,
            ("slow", "int4"): WHOLE,
            ("fast", "apart"): WHOLE,
            ("fast", "int4"): replace(WHOLE, seeds=3),
        },
        {("slow", "torchft"): "torchft can't be installed"},
    )
    found = figures_of(results, sites=4, parameters=10)
    slow, fast = (found["profiles"][link] for link in ("slow", "fast"))
    assert [one["int4"]["seeds_of_curve"] for one in (slow, fast)] == [1, 3]
    assert found["target_loss"] == 4.0
    assert slow["int4"]["busy_share"] == 1.0
    assert slow["data-parallel"]["busy_share"] == 0.02
    assert slow["data-parallel"]["seconds_to_target_loss"] == 500
    assert slow["int4"]["seconds_to_target_loss"] == 10
    assert slow["torchft"] == {"error": "torchft can't be installed"}
