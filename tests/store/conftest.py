"""Stores of every kind that can run here: memory, a folder, S3 (moto) and Azure (Azurite)."""

from pathlib import Path

import pytest

from archipel.store import Store


@pytest.fixture(params=["memory", "folder", "s3", "azure"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store, of each kind in turn."""
    if request.param == "memory":
        return Store("memory:///")
    if request.param == "folder":
        return Store(str(tmp_path / "store"))
    remote = {"s3": "s3_bucket", "azure": "azure_container"}[request.param]
    return Store(request.getfixturevalue(remote) + "/runs/first")
