"""How a model marks a gap, by its files."""

import json
from pathlib import Path

import pytest

from archipel.models.gaps import FAMILIES, find_marks
from archipel.models.gguf_export import export_gguf
from tests.models.conftest import save_tokenizer
from tests.serve.conftest import coder

__all__ = ["coder"]


def test_a_gguf_and_its_checkpoint_have_the_same_marks(coder: Path, tmp_path: Path) -> None:
    export_gguf(coder, tmp_path / "coder.gguf", "f16")
    assert find_marks(tmp_path / "coder.gguf") == find_marks(coder) == FAMILIES["qwen"]


@pytest.mark.parametrize("family", ["starcoder", "codellama", "deepseek"])
def test_families_are_told_apart_by_their_vocabularies(family: str, tmp_path: Path) -> None:
    marks = next(its for name, its in FAMILIES.items() if name == family)
    save_tokenizer(tmp_path, ["<|endoftext|>", *marks.tokens])
    assert find_marks(tmp_path) == marks


def test_a_vocabulary_that_lacks_one_mark_has_none(tokenizer_folder: Path, tmp_path: Path) -> None:
    assert find_marks(tokenizer_folder) is None
    save_tokenizer(tmp_path, ["<|endoftext|>", *FAMILIES["qwen"].tokens[:2]])
    assert find_marks(tmp_path) is None


def test_what_is_no_model_has_no_marks(tmp_path: Path) -> None:
    assert find_marks(tmp_path / "nothing") is None
    (tmp_path / "tokenizer.json").write_text(json.dumps([1, 2]))
    assert find_marks(tmp_path) is None


def test_the_suffix_may_come_first() -> None:
    assert FAMILIES["codestral"].prompt("a", "b") == "[SUFFIX]b[PREFIX]a"
    assert FAMILIES["starcoder"].prompt("a", "b") == "<fim_prefix>a<fim_suffix>b<fim_middle>"
