"""Language models: any causal one of transformers, which learns to say a row's next token."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedConfig, PreTrainedModel

from archipel.corpus import Manifest, TokenReader
from archipel.corpus.answers import NO_TARGET
from archipel.corpus.manifest import TOKENIZER
from archipel.evaluate.loss import held_out_loss
from archipel.models.card import RunFacts, model_card
from archipel.models.checkpoint import load_model, new_model, save_checkpoint
from archipel.models.logits import logits_at
from archipel.models.sizes import check_fits, end_with, has_weights, model_config
from archipel.train.kinds import Loss, transformers_config
from archipel.tune.start import open_start

HELD_OUT_TOKENS = 65_536


class Language:
    """See `Kind`."""

    optimiser: Literal["adamw", "muon"] = "muon"
    unit = "nats/token"
    has_gguf = True
    has_lora = True
    sees = False
    card = staticmethod(model_card)  # what is told of a model beside its files

    def config(self, fields: Mapping[str, Any]) -> PreTrainedConfig:
        """As `Kind.config`."""
        return transformers_config(fields)

    def first_model(
        self, name: str, manifest: Manifest, corpus: Path, context: int | None, seed: int
    ) -> PreTrainedModel:
        """As `Kind.first_model`; a config.json's path also is a size."""
        path = Path(name)
        if not self.learns_further(name):
            found = model_config(
                name,
                vocab_size=manifest.vocab_size,
                context=context,
                end_of_text_id=manifest.end_of_text_id,
            )
            return new_model(found, seed)
        model = load_model(path) if path.is_dir() else open_start(path).model
        check_fits(model.config, name, vocab_size=manifest.vocab_size, context=context)
        if manifest.answers:
            end_with(model.config, manifest.answers.end)
        return model

    def learns_further(self, name: str) -> bool:
        """As `Kind.learns_further`."""
        path = Path(name)
        return path.suffix == ".gguf" or (path.is_dir() and has_weights(path))

    def new_model(self, config: PreTrainedConfig, seed: int) -> PreTrainedModel:
        """As `Kind.new_model`."""
        return new_model(config, seed)

    def equip(self, model: PreTrainedModel, corpus: Path) -> None:
        """As `Kind.equip`: its rows are all."""

    def loss(self, model: PreTrainedModel, forward: Any, *, alone: bool) -> Loss:
        """As `Kind.loss`: nats. Targets of NO_TARGET are left out."""
        some = logits_at(model) if alone else None

        def summed(x_BT: torch.Tensor, y_BT: torch.Tensor) -> torch.Tensor:
            wanted = y_BT != NO_TARGET
            few = not wanted.all()  # before the device: no step waits for it then
            x_BT, y_BT = x_BT.to(model.device), y_BT.to(model.device)
            if some and few:
                logits_NV = some(model, x_BT, wanted.to(model.device))
                targets_N = y_BT[y_BT != NO_TARGET]
                return cross_entropy(logits_NV.float(), targets_N, reduction="sum")
            logits_BTV = forward(input_ids=x_BT, use_cache=False).logits
            logits = logits_BTV.float().flatten(0, 1)
            return cross_entropy(logits, y_BT.flatten(), ignore_index=NO_TARGET, reduction="sum")

        return summed

    def held_out_loss(
        self, model: PreTrainedModel, reader: TokenReader, sequence_tokens: int
    ) -> float:
        """As `Kind.held_out_loss`: nats per token."""
        return held_out_loss(model, reader, sequence_tokens=sequence_tokens, tokens=HELD_OUT_TOKENS)

    def save(
        self,
        folder: Path,
        config: PreTrainedConfig,
        tensors: Mapping[str, np.ndarray],
        corpus: Path,
        facts: RunFacts,
    ) -> None:
        """As `Kind.save`: a Hugging Face checkpoint."""
        save_checkpoint(folder, config, tensors, corpus / TOKENIZER, card=self.card(facts))
