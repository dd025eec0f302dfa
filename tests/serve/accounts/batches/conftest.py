"""A service with files and batches, and the supplier that it asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel.database import Database
from archipel.serve.accounts import meter
from archipel.serve.batches import worker
from tests.serve.accounts.batches.desk import Desk, Supplier, hosted_supplier, open_desk


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "_HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(worker, "_LOOK_SECONDS", 0.1)


@pytest.fixture
def supply() -> Iterator[tuple[Supplier, str]]:
    """A supplier and its URL."""
    with hosted_supplier() as found:
        yield found


@pytest.fixture
def supplier(supply: tuple[Supplier, str]) -> Supplier:
    return supply[0]


@pytest.fixture
def desk(accounts: Database, supply: tuple[Supplier, str], tmp_path: Path) -> Iterator[Desk]:
    with open_desk(accounts, supply[1], tmp_path / "files") as opened:
        yield opened
