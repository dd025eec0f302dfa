"""What test_replica.py does with a replica: in its own process, and on two under torchrun."""

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, PreTrainedModel

from archipel.errors import RunError
from archipel.ledger import InnerSpec
from archipel.train.fragments import Fragment, assemble, split
from archipel.train.group import Group, open_group
from archipel.train.replica import Replica, follow
from archipel.train.sharding import InsideOptions

VOCABULARY = 301  # odd, so that shards and stretches of rows are unequal
SEQUENCES, TOKENS = 5, 16  # 5 sequences: they don't divide evenly by 2 processes
FRAGMENTS = 5
RATE = 3e-3
TINY = LlamaConfig(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=TOKENS,
)
MODES = [(sharding, name) for sharding in ("ddp", "fsdp") for name in ("adamw", "muon")]


def make_model(config: PreTrainedConfig = TINY) -> PreTrainedModel:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def fragments_of(model: PreTrainedModel) -> list[Fragment]:
    return split({name: tuple(p.shape) for name, p in model.named_parameters()}, FRAGMENTS)


def make_replica(
    group: Group, optimiser: str = "adamw", model: PreTrainedModel | None = None, **inside: Any
) -> Replica:
    model = model or make_model()
    spec = InnerSpec(
        optimiser=optimiser,
        learning_rate=RATE,
        warmup_tokens=0,
        batch_sequences=SEQUENCES,
        sequence_tokens=TOKENS,
    )
    return Replica(model, fragments_of(model), spec, InsideOptions(**inside), group)


def train(replica: Replica, steps: int, first: int = 0) -> list[float]:
    """Losses of some steps on a few batches, again and again."""
    losses = []
    for step in range(first, first + steps):
        batch = np.random.default_rng(step % 3).integers(0, VOCABULARY, (2, SEQUENCES, TOKENS))
        losses.append(replica.step(batch[0], batch[1], RATE))
    return losses


def story(replica: Replica, fragments: Sequence[Fragment]) -> tuple[dict[str, Any], np.ndarray]:
    """Train, add a correction, train, save, train on, go back to what was saved, train again."""
    losses = train(replica, 3)
    replica.add(1, np.full(fragments[1].values, 0.01, np.float32))
    losses += train(replica, 3, 3)
    parameters = [replica.capture(index) for index in range(FRAGMENTS)]
    state = replica.optimiser_state()
    on = train(replica, 2, 6)
    replica.load(assemble(fragments, parameters))
    replica.load_optimiser_state(state)
    facts = {
        "losses": losses + on,
        "again": train(replica, 2, 6),
        "state": sorted((name, list(value.shape)) for name, value in state.items()),
    }
    return facts, np.concatenate(parameters)


def lead(group: Group, folder: Path) -> None:
    """Each mode's story, written to the folder; then what happens when the other process dies."""
    fragments = fragments_of(make_model())
    for sharding, optimiser in MODES:
        replica = make_replica(group, optimiser, precision=torch.float32, sharding=sharding)
        facts, parameters = story(replica, fragments)
        np.save(folder / f"{sharding}-{optimiser}.npy", parameters)
        (folder / f"{sharding}-{optimiser}.json").write_text(json.dumps(facts))
        if optimiser == "adamw":  # the other is forgotten unclosed, as by a session that broke off
            replica.close()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun's, when it sees the other one's end
    replica = make_replica(group)
    try:
        train(replica, 1)
    except RunError as error:
        (folder / "death.txt").write_text(str(error))


def made(group: Group) -> Iterator[Replica]:
    """The same replicas on the other process, which dies when it has made the last."""
    for sharding, optimiser in MODES:
        yield make_replica(group, optimiser, precision=torch.float32, sharding=sharding)
    make_replica(group)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with open_group() as this:
        if this.rank:
            follow(this, partial(next, made(this)))
        lead(this, Path(sys.argv[1]))
