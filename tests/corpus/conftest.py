"""A small corpus of Python text, built once."""

import sysconfig
from pathlib import Path

import pytest

from archipel.corpus import BuildOptions, build_corpus

SMALL = BuildOptions(vocab_size=512, held_out=0.2, shard_bytes=60_000)


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 40 modules of the standard library, some 0.6 MB."""
    folder = tmp_path_factory.mktemp("texts")
    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    for path in [path for path in modules if path.stat().st_size < 30_000][:40]:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="session")
def corpus(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus of `texts`, with several shards in each split."""
    folder = tmp_path_factory.mktemp("corpus")
    build_corpus([texts], folder, SMALL)
    return folder
