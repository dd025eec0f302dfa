"""Which files of a folder are projectors, and which of them a model has."""

from pathlib import Path

import pytest

from archipel.models.here import list_models
from archipel.models.projectors import best_projector, ggufs_in, projector_in


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (["model.gguf"], None),
        (["model.gguf", "mmproj.gguf"], "mmproj.gguf"),
        (["a-mmproj-Q8_0.gguf", "b-MMPROJ-F16.gguf"], "b-MMPROJ-F16.gguf"),
        (["mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf"], "mmproj-F16.gguf"),
        (["mmproj-BF16.gguf", "mmproj-F32.gguf"], "mmproj-BF16.gguf"),
    ],
)
def test_the_projector_in_f16_comes_first(names: list[str], best: str | None) -> None:
    assert best_projector(names) == best


def test_a_projector_beside_several_models_is_nobodys(tmp_path: Path) -> None:
    for name in ("model.gguf", "model-mmproj.gguf"):
        (tmp_path / name).write_bytes(b"")
    assert ggufs_in(tmp_path) == [tmp_path / "model.gguf"]
    assert projector_in(tmp_path) == tmp_path / "model-mmproj.gguf"

    (tmp_path / "other.gguf").write_bytes(b"")
    assert projector_in(tmp_path) is None


def test_a_projector_is_no_model_and_counts_with_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "seer"
    folder.mkdir(parents=True)
    (folder / "seer.gguf").write_bytes(bytes(100))
    (folder / "mmproj-seer.gguf").write_bytes(bytes(20))
    (tmp_path / "models" / "mmproj-alone.gguf").write_bytes(bytes(20))

    [found] = list_models(tmp_path)
    assert (found.name, found.path, found.bytes) == ("seer", folder / "seer.gguf", 120)
