"""A small run's spec."""

import pytest

from archipel.ledger import InnerSpec, OuterSpec, RunSpec


def make_spec(**changes: object) -> RunSpec:
    """Four fragments; 10 units of 100 tokens, the last one of 50."""
    facts = {
        "owner": "0" * 64,
        "model": {"model_type": "llama"},
        "fragments": 4,
        "sync_steps": 8,
        "inner": InnerSpec(
            learning_rate=1e-3, warmup_tokens=10, batch_sequences=1, sequence_tokens=10
        ),
        "outer": OuterSpec(learning_rate=0.7, momentum=0.5),
        "codec": "int8",
        "budget_tokens": 950,
        "unit_tokens": 100,
        "initial_digest": "0" * 64,
        "corpus_digest": "0" * 64,
        "tokenizer_digest": "0" * 64,
        "epoch_units": 6,
        "seed": 0,
        "heartbeat_seconds": 1.0,
        "dead_after_seconds": 5.0,
        "snapshot_every_cycles": 2,
    }
    return RunSpec.model_validate(facts | changes)


@pytest.fixture
def spec() -> RunSpec:
    return make_spec()
