"""Other people's programs, each in its own environment (`make peers`), against our service."""

from pathlib import Path

import pytest

from tests.conftest import missing
from tests.models.conftest import tiny_config, tokenizer_folder
from tests.serve.conftest import archipel, checkpoint, home, service, start_service

__all__ = [
    "archipel",
    "checkpoint",
    "home",
    "service",
    "start_service",
    "tiny_config",
    "tokenizer_folder",
]


@pytest.fixture(scope="session")
def lm_eval() -> Path:
    """The command of lm-evaluation-harness."""
    path = Path(__file__).resolve().parents[2] / ".venv/peers/bin/lm_eval"
    if not path.exists():
        missing("lm_eval (make peers)")
    return path
