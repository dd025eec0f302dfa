"""Language models that learn which of two answers is better, from a corpus's pairs of them."""

import logging
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PreTrainedModel

from archipel.corpus import Manifest, TokenReader, read_manifest
from archipel.corpus.answers import NO_TARGET
from archipel.models.card import preferring_card
from archipel.models.sizes import end_with
from archipel.train.kinds import Loss
from archipel.train.language import Language
from archipel.tune.losses import Likelihood, margins, margins_at_rest, preference_losses
from archipel.tune.pair_rows import PAIRS, Pairs

log = logging.getLogger(__name__)

_MEASURED = 2048  # pairs


class Preferring(Language):
    """See `Kind`. A row is a pair, whose loss counts for all of its tokens."""

    optimiser: Literal["adamw", "muon"] = "adamw"  # as on one machine
    unit = "nats/pair"
    card = staticmethod(preferring_card)

    def first_model(
        self, name: str, manifest: Manifest, corpus: Path, context: int | None, seed: int
    ) -> PreTrainedModel:
        """As `Kind.first_model`; of a row's tokens it reads one conversation's at once."""
        assert manifest.preferences
        model = super().first_model(name, manifest, corpus, manifest.preferences.context, seed)
        end_with(model.config, manifest.preferences.answers.end)
        return model

    def equip(self, model: PreTrainedModel, corpus: Path) -> None:
        """As `Kind.equip`."""
        manifest = read_manifest(corpus)
        assert manifest.preferences
        model.add_module(PAIRS, Pairs(manifest.preferences))

    def loss(self, model: PreTrainedModel, forward: Any, *, alone: bool) -> Loss:
        """As `Kind.loss`: that of `archipel finetune --preferences`. A row without a target, which
        fills up a batch, counts for nothing."""
        pairs = _pairs_of(model)
        likelihood = Likelihood(model, None if alone else forward)

        def summed(x_BT: torch.Tensor, y_BT: torch.Tensor) -> torch.Tensor:
            items, start_B = pairs.read(x_BT)
            now_B = margins(likelihood, items)
            losses_B = preference_losses(now_B, start_B.to(now_B.device), pairs.preferences.beta)
            counts_B = (y_BT != NO_TARGET).any(1).to(now_B.device)
            return losses_B[counts_B].sum() * x_BT.shape[1]

        return summed

    def held_out_loss(
        self, model: PreTrainedModel, reader: TokenReader, sequence_tokens: int
    ) -> float:
        """As `Kind.held_out_loss`: nats per pair. How many pairs are ranked rightly, by DPO's
        implicit reward, the log says."""
        pairs, likelihood = _pairs_of(model), Likelihood(model)
        count = min(_MEASURED, reader.tokens // sequence_tokens)
        rows = reader.read(0, count * sequence_tokens).reshape(count, sequence_tokens)
        items, start_B = pairs.read(torch.from_numpy(rows))
        now = margins_at_rest(likelihood, items, likelihood.usual_tokens)
        now_B = torch.tensor([now[item] for item in items])
        right = int((now_B > start_B).sum())
        log.info("of %s held-out pairs %s are ranked rightly", f"{count:,}", f"{right:,}")
        return float(preference_losses(now_B, start_B, pairs.preferences.beta).mean())


def _pairs_of(model: PreTrainedModel) -> Pairs:
    pairs = model.get_submodule(PAIRS)
    assert isinstance(pairs, Pairs)
    return pairs
