"""Held-out loss against what can be worked out by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from archipel.corpus import BuildOptions, TokenReader, build_corpus
from archipel.evaluate.loss import held_out_loss, unigram_loss
from archipel.models.checkpoint import new_model
from archipel.models.sizes import model_config


class Tokens:
    """A reader over an array; what the functions use of `TokenReader`."""

    def __init__(self, values: list[int]) -> None:
        self._values = np.array(values, np.int64)
        self.tokens = len(values)

    def read(self, start: int, count: int) -> np.ndarray:
        return self._values[start : start + count]


def test_a_model_that_knows_nothing_loses_log_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one two three four\n" * 200, encoding="utf-8")
    (tmp_path / "b.txt").write_text("five six seven eight\n" * 200, encoding="utf-8")
    manifest = build_corpus(
        [tmp_path / "a.txt", tmp_path / "b.txt"], tmp_path / "c", BuildOptions(vocab_size=300)
    )
    reader = TokenReader(tmp_path / "c", manifest, "train")
    model = new_model(
        model_config("nano", vocab_size=manifest.vocab_size, context=16, end_of_text_id=0), 0
    )
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    loss = held_out_loss(model, reader, sequence_tokens=16, tokens=500)
    assert loss == pytest.approx(math.log(manifest.vocab_size), abs=1e-3)


def test_the_unigram_model_is_the_entropy_of_the_counts() -> None:
    even = Tokens([0, 1, 2, 3] * 1000)
    assert unigram_loss(even, even, vocab=4, tokens=4000) == pytest.approx(math.log(4), abs=1e-3)
    only = Tokens([2] * 4000)
    assert unigram_loss(only, only, vocab=4, tokens=4000) < 0.01
    assert unigram_loss(only, Tokens([1]), vocab=4, tokens=4000) > 8
