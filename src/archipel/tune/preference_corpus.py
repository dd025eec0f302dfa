"""A corpus of preferences: what `archipel finetune --preferences` learns on one machine, for the
sites of a run.

A row is a pair of answers, so that sites claim, train and account for pairs as for any text. What
the model at the start says of each pair is worked out here, once: no site needs that model beside
the one that it trains.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from transformers import PreTrainedModel

from archipel.corpus import Manifest, Preferences, Split
from archipel.corpus.answers import Answers
from archipel.corpus.left_out import LeftOut
from archipel.corpus.manifest import TOKENIZER
from archipel.errors import ConfigError, ModelError
from archipel.models.digest import digest_of_all
from archipel.models.folders import complete_folder
from archipel.tune.corpus_parts import Origin, answers_in, encoded, said, write_corpus
from archipel.tune.encoding import Item
from archipel.tune.lessons import Material, read_material
from archipel.tune.losses import Likelihood, margins_at_rest
from archipel.tune.pair_rows import pair_row
from archipel.tune.start import open_start
from archipel.tune.templates import open_tokenizer, prepare_tokenizer


@dataclass(frozen=True, kw_only=True)
class PreferenceOptions:
    """How pairs become rows: `context` is the most tokens of a conversation; `held_out` the share
    that is only measured on, where no files are given for that; `beta` how closely to hold to the
    model at the start."""

    context: int = 256
    held_out: float = 0.01
    beta: float = 0.1
    seed: int = 0


def build_preference_corpus(
    path: Path, material: Material, out: Path, options: PreferenceOptions, left_out: LeftOut
) -> Manifest:
    """Build the corpus of `material`, for the model at `path` to learn further, in the folder
    `out`, which appears when it is complete. What was left out, and why, is noted in `left_out`.

    Raises:
        ConfigError: the data or an option can't be used, `out` exists, or the chat template does
            not show by its tokens where an answer begins and ends.
        ModelError: the model can't be loaded, or says nothing finite of a pair.
    """
    if out.exists():
        raise ConfigError(f"{out} exists already: give another place, or remove it first")
    lessons, measured = read_material(material, left_out)
    start = open_start(path)
    context = start.most_tokens(options.context)
    with complete_folder(out) as folder:
        prepare_tokenizer(start.tokenizer, start.folder, folder / TOKENIZER, use_default=False)
        tokenizer = open_tokenizer(folder / TOKENIZER)
        items, held_out = encoded(
            lessons,
            measured,
            tokenizer,
            most_tokens=context,
            held_out=options.held_out,
            left_out=left_out,
        )
        preferences = Preferences(
            context=context,
            answers=answers_in(tokenizer, [*items, *held_out], Answers.learnt_last),
            start=_digest(start.model),
            beta=options.beta,
        )
        margins = _margins(start.model, [*items, *held_out])
        order = random.Random(options.seed).sample(items, len(items))
        parts: dict[Split, list[Item]] = {"train": order, "held_out": held_out}
        rows = {split: _rows(some, margins, preferences) for split, some in parts.items()}
        origin = Origin(
            items=len(items) + len(held_out),
            contents=[*said([*lessons, *measured])],
            left_out=left_out,
            seed=options.seed,
        )
        return write_corpus(folder, tokenizer, rows, preferences, origin)


def _digest(model: PreTrainedModel) -> str:
    return digest_of_all({name: p.detach().numpy() for name, p in model.named_parameters()})


def _margins(model: PreTrainedModel, items: Sequence[Item]) -> Mapping[Item, float]:
    """By how much the model prefers the chosen answer of each, nats."""
    nn.Module.to(model, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    likelihood = Likelihood(model)
    found = margins_at_rest(likelihood, items, likelihood.usual_tokens)
    wrong = [margin for margin in found.values() if not math.isfinite(margin)]
    if wrong:
        raise ModelError(
            f"of {len(wrong):,} of {len(found):,} pairs the model says {wrong[0]}, so that nothing "
            "can be measured from it: give a model whose weights are sound"
        )
    return found


def _rows(
    items: Sequence[Item], margins: Mapping[Item, float], preferences: Preferences
) -> npt.NDArray[np.int64]:
    """int64 [items, row_tokens]."""
    rows = np.empty((len(items), preferences.row_tokens), np.int64)
    for row, item in zip(rows, items, strict=True):
        row[:] = pair_row(item, margins[item], preferences)
    return rows
