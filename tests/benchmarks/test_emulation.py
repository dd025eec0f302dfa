"""The emulated sites do what the real ones do: model, inner optimiser, rounds."""

from typing import Literal

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from archipel.ledger import InnerSpec, OuterSpec
from archipel.train.optimisers import Optimisers
from benchmarks.emulation.sites import Plan, Rounds
from benchmarks.emulation.stacked import Shape, Stacked, StackedOptimiser, losses

SHAPE = Shape(hidden=32, layers=2, heads=2, kv_heads=1, feed_forward=96, vocab=64, context=16)
INNER = InnerSpec(learning_rate=0.01, warmup_tokens=0, batch_sequences=2, sequence_tokens=16)


@pytest.mark.filterwarnings("ignore:grad and param do not obey")  # rows of one tensor: meant
@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_each_copy_trains_as_the_model_with_the_real_optimiser(
    optimiser: Literal["adamw", "muon"],
) -> None:
    spec = INNER.model_copy(update={"optimiser": optimiser})
    x, y = torch.randint(0, 64, (2, 2, 2, 16), generator=torch.Generator().manual_seed(0))
    stacked = Stacked(SHAPE, 2, seed=1)
    ours = StackedOptimiser(stacked, spec)
    for _ in range(3):
        found = losses(SHAPE, stacked.parameters, x, y)
        torch.autograd.backward(found.sum())
        ours.step(0.01)
    start = torch.nn.utils.parameters_to_vector(SHAPE.model(1).parameters())
    for copy in range(2):
        model = SHAPE.model(1)
        optimisers = Optimisers(model, spec)
        for _ in range(3):
            logits = model(input_ids=x[copy], use_cache=False).logits
            loss = cross_entropy(logits.flatten(0, 1), y[copy].flatten())
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), spec.gradient_clip)
            optimisers.step(0.01)
        assert found[copy].item() == pytest.approx(loss.item(), rel=2e-3)
        theirs = torch.nn.utils.parameters_to_vector(model.parameters())
        assert (stacked.flat[copy] - theirs).norm() < 0.02 * (theirs - start).norm()


@pytest.mark.parametrize("delay", [0, 2])
def test_a_plain_mean_of_all_fragments_is_everyones_start_and_what_came_since_stays(
    delay: int,
) -> None:
    plan = Plan(
        shape=SHAPE, inner=INNER, outer=OuterSpec(learning_rate=1.0, momentum=0.0),
        budget_tokens=8 * 2 * 32, seed=1, sites=2, batches=2, sync_steps=4, delay_steps=delay,
    )  # fmt: skip
    model = Stacked(SHAPE, 2, seed=1)
    rounds = Rounds(plan, model)
    moves = torch.randn((8, *model.flat.shape), generator=torch.Generator().manual_seed(0)) / 100
    start = model.flat.detach().clone()
    for step, move in enumerate(moves, 1):
        model.flat += move
        rounds.after(step)
    mean = (start + moves.sum(0)).mean(0)
    assert np.allclose(rounds.parameters(), mean, atol=1e-5)
    assert torch.allclose(model.flat, mean.expand(2, -1), atol=1e-5)
