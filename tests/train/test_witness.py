"""The gradient on the data that a contribution cites, against torch's own."""

from pathlib import Path

import numpy as np
import pytest
import torch

from archipel.corpus import TokenReader, read_manifest
from archipel.ledger import Range
from archipel.models.checkpoint import new_model
from archipel.train.join import run_fragments
from archipel.train.kinds import run_config
from archipel.train.state import GlobalState
from archipel.train.witness import Witness
from archipel.train.work import Work
from tests.train.merging import spec
from tests.train.processes import MODEL

SEQUENCE = 16


@pytest.fixture
def state(corpus: Path) -> GlobalState:
    """A run's start, its batches two sequences of 16 tokens."""
    manifest = read_manifest(corpus)
    model = {**MODEL, "vocab_size": manifest.vocab_size, "max_position_embeddings": SEQUENCE}
    run = spec("none")
    inner = run.inner.model_copy(update={"batch_sequences": 2, "sequence_tokens": SEQUENCE})
    run = run.model_copy(update={"model": model, "fragments": 2, "inner": inner, "epoch_units": 3})
    named = new_model(run_config(run), 5).named_parameters()
    return GlobalState(run, run_fragments(run), {n: p.detach().numpy() for n, p in named})


@pytest.fixture
def work(state: GlobalState, corpus: Path) -> Work:
    return Work(state.spec, TokenReader(corpus, read_manifest(corpus), "train"))


def torchs_own(state: GlobalState, work: Work, places: list[tuple[int, int]]) -> dict[str, object]:
    model = new_model(run_config(state.spec), 5)
    for unit, at in places:
        x_BT, y_BT = map(torch.from_numpy, work.read(unit, at))
        logits_BTV = model(input_ids=x_BT).logits
        torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), y_BT.flatten()).backward()
    return {name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("fragment", [0, 1])
def test_it_is_the_gradient_on_the_batches_that_the_ranges_hold(
    state: GlobalState, work: Work, fragment: int
) -> None:
    ranges = (
        Range(unit=2, generation=0, start=32, stop=96),
        Range(unit=0, generation=1, start=0, stop=32),
    )
    found = Witness(state.spec, work).gradient(state, fragment, ranges)
    gradients = torchs_own(state, work, [(2, 32), (2, 64), (0, 0)])
    expected = state.fragments[fragment].flatten(gradients)  # type: ignore[arg-type]
    assert np.linalg.norm(found - expected) < 0.03 * np.linalg.norm(expected)  # bf16 against fp32


def test_another_question_does_not_remember_the_one_before(state: GlobalState, work: Work) -> None:
    witness = Witness(state.spec, work)
    first = (Range(unit=0, generation=0, start=0, stop=64),)
    answer = witness.gradient(state, 0, first)
    witness.gradient(state, 0, (Range(unit=1, generation=0, start=0, stop=320),))
    assert np.array_equal(witness.gradient(state, 0, first), answer)


def test_ranges_without_a_whole_batch_say_nothing(state: GlobalState, work: Work) -> None:
    witness = Witness(state.spec, work)
    assert not witness.gradient(state, 0, (Range(unit=0, generation=0, start=0, stop=5),)).any()
