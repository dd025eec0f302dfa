"""Figures, their intervals, and how near texts are, against what is known or counted by hand."""

import numpy as np
import pytest
import sacrebleu

from archipel.evaluate.figures import (
    Measure,
    difference,
    figure,
    mean,
    mean_of_parts,
    proportion,
    ratio,
    wilson,
)
from archipel.evaluate.likeness import bleu, chrf, rouge_l


def test_the_interval_of_a_share_is_wilsons() -> None:
    # Newcombe 1998, table 1: 81 of 263, and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)
    found = figure(proportion("acc", [True] * 81 + [False] * 182))
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_a_bootstrap_comes_near_the_normal_interval_and_is_the_same_each_time() -> None:
    values = np.random.default_rng(3).normal(10, 2, 400)
    found = figure(mean("m", list(values)))
    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.05)
    assert found.high == pytest.approx(values.mean() + half, abs=0.05)
    assert figure(mean("m", list(values))) == found


def test_one_question_has_no_interval() -> None:
    found = figure(Measure("bits", np.array([[8.0, 4.0]]), ratio))
    assert (found.value, found.low, found.high) == (2.0, None, None)


def test_parts_weigh_the_same_whatever_their_size() -> None:
    hits = [True] * 3 + [False] + [False] * 2
    found = figure(mean_of_parts("acc", hits, ["a"] * 4 + ["b"] * 2))
    assert found.value == pytest.approx(0.375)


def test_a_difference_is_drawn_in_pairs() -> None:
    rng = np.random.default_rng(5)
    hard = rng.random(500) < 0.5
    lucky = rng.random(500) < 0.06
    one, other = proportion("acc", list(hard | lucky)), proportion("acc", list(hard))
    found = difference(one, other)
    assert found.low is not None
    assert found.low > 0, "the same questions are hard for both, so a small gain shows"
    apart = figure(one).low, figure(other).high
    assert apart[0] < apart[1], "though the two intervals overlap"
    assert difference(one, one).low == difference(one, one).high == 0


def test_bleu_and_chrf_are_sacrebleus_over_all_pairs() -> None:
    texts = ["le chat est sur le tapis", "il fait beau à Paris aujourd'hui", "je ne sais pas"]
    references = [
        ["le chat est sur la table"],
        ["il fait très beau aujourd'hui à Paris", "il fait beau à Paris"],
        ["je l'ignore"],
    ]
    lines = [text for text, some in zip(texts, references, strict=True) for _ in some]
    flat = [one for some in references for one in some]
    known = sacrebleu.corpus_bleu(lines, [flat]).score
    assert figure(bleu(texts, references)).value == pytest.approx(known)
    known = sacrebleu.corpus_chrf(lines, [flat]).score
    assert figure(chrf(texts, references)).value == pytest.approx(known)


def test_rouge_l_counts_the_longest_common_subsequence() -> None:
    # 5 of 6 words in order, on both sides; then 2 of 3 and 2 of 2.
    assert rouge_l("The cat sat on the mat.", "the cat was on the mat") == pytest.approx(5 / 6)
    assert rouge_l("l'été est là", "été là") == pytest.approx(2 * 2 / (4 + 2))
    assert rouge_l("", "x") == 0
