"""What the tests of training share."""

import json
from pathlib import Path

import pytest

from tests.train.processes import archipel


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small corpus of real text: the standard library's json and email packages."""
    folder = tmp_path_factory.mktemp("corpus") / "corpus"
    inputs = [Path(json.__file__).parent, Path(json.__file__).parent.parent / "email"]
    done = archipel("corpus", "build", *inputs, "-o", folder, "--vocab-size", 512)
    assert done.returncode == 0, done.stderr
    return folder
