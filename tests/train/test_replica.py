"""A site's model: on one process, and laid out over two that torchrun starts."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPT2Config, PreTrainedConfig, Qwen2Config

from archipel.errors import ConfigError, IntegrityError
from archipel.models.precision import precision
from archipel.train.fragments import assemble
from archipel.train.group import Group
from archipel.train.muon import Muon
from tests.train.replica_program import (
    FRAGMENTS,
    MODES,
    TOKENS,
    VOCABULARY,
    fragments_of,
    make_model,
    make_replica,
    story,
    train,
)

ALONE = Group(torch.device("cpu"))
GPT2 = GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=2, n_positions=TOKENS)
QWEN2 = Qwen2Config(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    max_position_embeddings=TOKENS,
    tie_word_embeddings=True,
)


@pytest.fixture(scope="module")
def group_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes under torchrun wrote."""
    folder = tmp_path_factory.mktemp("group")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "tests.train.replica_program", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert (folder / "death.txt").exists(), ended.stderr
    return folder


@pytest.mark.parametrize(("sharding", "optimiser"), MODES)
def test_two_processes_train_as_one_does(
    group_results: Path, sharding: str, optimiser: str
) -> None:
    facts = json.loads((group_results / f"{sharding}-{optimiser}.json").read_text())
    replica = make_replica(ALONE, optimiser, precision=torch.float32)
    expected, parameters = story(replica, fragments_of(make_model()))
    # Muon may round to bf16 inside.
    tolerance = 1e-5 if optimiser == "adamw" else 2e-3
    assert facts["losses"] == pytest.approx(expected["losses"], abs=tolerance)
    assert facts["again"] == facts["losses"][-2:]
    assert facts["state"] == [[name, shape] for name, shape in expected["state"]]
    captured = np.load(group_results / f"{sharding}-{optimiser}.npy")
    assert np.abs(captured - parameters).max() < 10 * tolerance


def test_a_dead_process_ends_its_site_with_a_clear_error(group_results: Path) -> None:
    assert "another process of this site has ended" in (group_results / "death.txt").read_text()


def test_more_processes_than_sequences_are_refused() -> None:
    with pytest.raises(ConfigError, match="6 processes can't share a batch of 5"):
        make_replica(Group(torch.device("cpu"), rank=0, size=6))


@pytest.mark.parametrize("inside", [{"micro_batch": 2}, {"checkpoint_activations": True}])
def test_how_a_site_lays_out_its_work_does_not_change_what_it_learns(
    inside: dict[str, Any],
) -> None:
    plain = train(make_replica(ALONE, precision=torch.float32), 5)
    other = train(make_replica(ALONE, precision=torch.float32, **inside), 5)
    assert other == pytest.approx(plain, abs=1e-5)


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_replica_that_loads_what_another_saved_goes_on_like_it(optimiser: str) -> None:
    first = make_replica(ALONE, optimiser)
    train(first, 4)
    fragments = fragments_of(make_model())
    parameters = assemble(fragments, [first.capture(index) for index in range(FRAGMENTS)])
    second = make_replica(ALONE, optimiser)
    second.load(parameters)
    second.load_optimiser_state(first.optimiser_state())
    assert train(second, 4, 4) == train(first, 4, 4)


def test_an_optimiser_state_of_another_kind_is_refused_and_leaves_none() -> None:
    replica, other = make_replica(ALONE, "muon"), make_replica(ALONE, "adamw")
    assert replica.optimiser_state() == {}
    train(other, 1)
    with pytest.raises(IntegrityError, match="does not fit"):
        replica.load_optimiser_state(other.optimiser_state())
    assert replica.optimiser_state() == {}


@pytest.mark.parametrize("config", [GPT2, QWEN2], ids=["gpt2", "qwen2"])
@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_any_architecture_trains_and_moves_by_fragments(
    config: PreTrainedConfig, optimiser: str
) -> None:
    model = make_model(config)
    replica = make_replica(ALONE, optimiser, model)
    losses = train(replica, 12)
    assert losses[-1] < losses[0] - 0.2
    before = [replica.capture(index) for index in range(FRAGMENTS)]
    assert max(map(len, before)) < 1.3 * min(map(len, before))
    replica.add(2, np.ones_like(before[2]))
    after = [replica.capture(index) for index in range(FRAGMENTS)]
    assert np.array_equal(after[2], before[2] + 1)
    assert all(np.array_equal(after[index], before[index]) for index in (0, 1, 3, 4))


def test_muon_is_pytorchs() -> None:
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(6, 10)), torch.nn.Parameter(torch.randn(9, 4))]
    theirs = [torch.nn.Parameter(matrix.detach().clone()) for matrix in ours]
    peer = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    optimiser = Muon(ours, lr=0.02, weight_decay=0.1)
    for _ in range(4):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        optimiser.step()
        peer.step()
    # PyTorch's rounds to bf16 inside whatever the device; ours where that is fast.
    tolerance = 0.0 if precision(torch.device("cpu")) == torch.bfloat16 else 1e-3
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0.0, atol=tolerance)
