"""How near a text comes to its references: BLEU and chrF by sacreBLEU, ROUGE-L. Pure.

ROUGE-L is ours: the library of that name needs nltk and absl, and keeps no letter but a to z.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from archipel.evaluate.figures import Measure, Rows

_WORD = re.compile(r"\w+")


def bleu(texts: Sequence[str], references: Sequence[Sequence[str]]) -> Measure:
    """BLEU over all pairs of a text and one of its references, as sacreBLEU has it by default."""
    return _corpus("bleu", BLEU(), texts, references)


def chrf(texts: Sequence[str], references: Sequence[Sequence[str]]) -> Measure:
    """chrF over all pairs of a text and one of its references, as sacreBLEU has it by default."""
    return _corpus("chrf", CHRF(), texts, references)


def rouge_l(text: str, reference: str) -> float:
    """The F measure of the longest common subsequence of words, lower-cased, 0 to 1."""
    ours, theirs = (_WORD.findall(one.lower()) for one in (text, reference))
    common = _longest_common(ours, theirs)
    return 2 * common / (len(ours) + len(theirs)) if common else 0.0


def _corpus(
    name: str, metric: Any, texts: Sequence[str], references: Sequence[Sequence[str]]
) -> Measure:
    """A row of a text's counts, added up over its references; the score is that of the sums.

    sacreBLEU's own bootstrap and paired tests do the same through these methods, which have no
    public name.
    """
    rows = [
        np.sum([metric._extract_corpus_statistics([text], [[one]])[0] for one in theirs], 0)
        for text, theirs in zip(texts, references, strict=True)
    ]
    return Measure(name, np.array(rows, np.float64), partial(_score, metric))


def _score(metric: Any, sums: Rows) -> float:
    return float(metric._compute_score_from_stats([round(value) for value in sums]).score)


def _longest_common(ours: Sequence[str], theirs: Sequence[str]) -> int:
    lengths = [0] * (len(theirs) + 1)
    for word in ours:
        before = 0
        for place, other in enumerate(theirs, 1):
            kept = lengths[place]
            lengths[place] = before + 1 if word == other else max(kept, lengths[place - 1])
            before = kept
    return lengths[-1]
