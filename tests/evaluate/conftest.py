"""A tiny real model, and questions for it in the forms that the public files have."""

import gzip
import json
import lzma
import zipfile
from pathlib import Path

import pytest

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

FUNCTION = {
    "task_id": "HumanEval/0",
    "prompt": "import math\n\n\ndef half(x):\n    '''The half.'''\n",
    "entry_point": "half",
    "test": "def check(candidate):\n    assert candidate(8) == 4\n    assert candidate(1) == 0.5\n",
}


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small files under the names of the public ones."""
    folder = tmp_path_factory.mktemp("data")
    inner = folder / "evaluation"
    inner.mkdir()
    with zipfile.ZipFile(inner / "BLiMP.zip", "w") as archive:
        for part in ("adverbs", "plurals"):
            pairs = [
                {"UID": part, "sentence_good": f"Fox {n} jumps.", "sentence_bad": f"Fox {n} do."}
                for n in range(6)
            ]
            archive.writestr(f"data/{part}.jsonl", "\n".join(map(json.dumps, pairs)))
        archive.writestr("__MACOSX/data/._adverbs.jsonl", b"\xb0\x00")
    _jsonl(
        inner / "arc_easy.jsonl.xz",
        [
            {"query": f"Question: What is {n}?", "choices": ["a fox", "a dog", "it"], "gold": n % 3}
            for n in range(8)
        ],
    )
    _jsonl(inner / "HumanEval.jsonl.gz", [FUNCTION])
    pairs = (
        "The dog sleeps in the sun.\tLe chien dort au soleil.\n"
        "The dog sleeps in the sun.\tUn chien dort en plein soleil.\n"
        "It is summer at last.\tC'est enfin l'été.\n"
    )
    (folder / "tatoeba_en_fr.dev.tsv.xz").write_bytes(lzma.compress(pairs.encode()))
    return folder


def _jsonl(path: Path, records: list[dict[str, object]]) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lzma.compress(lines))
