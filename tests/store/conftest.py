"""Stores of every kind that can run here: memory, a folder, and S3 by moto's server."""

from pathlib import Path

import pytest

from archipel.store import Store


@pytest.fixture(params=["memory", "folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store, of each kind in turn."""
    if request.param == "memory":
        return Store("memory:///")
    if request.param == "folder":
        return Store(str(tmp_path / "store"))
    return Store(request.getfixturevalue("s3_bucket") + "/runs/first")
