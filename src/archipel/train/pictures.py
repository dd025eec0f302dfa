"""Models of pictures: a flow that learns to make a corpus's pictures of their captions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import ValidationError
from transformers import PreTrainedConfig, PreTrainedModel

from archipel.corpus import Manifest, TokenReader
from archipel.errors import ConfigError, ModelError
from archipel.images.card import picture_card
from archipel.images.flow import FlowConfig, FlowModel
from archipel.images.flow_folder import load_flow, save_flow
from archipel.images.learning import flow_loss, held_out_loss
from archipel.images.sizes import SIZES, flow_config
from archipel.models.card import RunFacts
from archipel.train.kinds import Loss


class Pictures:
    """See `Kind`. A row's loss counts for all of its tokens."""

    optimiser: Literal["adamw", "muon"] = "adamw"  # Muon's own products cost more than the model's
    unit = "squared velocity"
    has_gguf = False
    has_lora = False
    sees = False

    def config(self, fields: Mapping[str, Any]) -> PreTrainedConfig:
        """As `Kind.config`."""
        try:
            return FlowConfig(**fields)
        except (TypeError, ValueError, ValidationError) as error:
            raise ConfigError(
                f"the run's model of pictures can't be used: {error}. Install the version of "
                "Archipel that created the run"
            ) from error

    def first_model(
        self, name: str, manifest: Manifest, corpus: Path, context: int | None, seed: int
    ) -> PreTrainedModel:
        """As `Kind.first_model`."""
        if not self.learns_further(name):
            return self.new_model(flow_config(name, manifest, corpus), seed)
        model = load_flow(Path(name))
        if model.config.row_tokens != manifest.row_tokens:
            raise ModelError(
                f"{name} reads rows of {model.config.row_tokens} tokens, the corpus has rows of "
                f"{manifest.row_tokens}: train a new one on it, as with --model nano"
            )
        return model

    def learns_further(self, name: str) -> bool:
        """As `Kind.learns_further`."""
        return name not in SIZES

    def new_model(self, config: PreTrainedConfig, seed: int) -> PreTrainedModel:
        """As `Kind.new_model`."""
        assert isinstance(config, FlowConfig)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return FlowModel(config)

    def equip(self, model: PreTrainedModel, corpus: Path) -> None:
        """As `Kind.equip`: its configuration says all."""

    def loss(self, model: PreTrainedModel, forward: Any, *, alone: bool) -> Loss:
        """As `Kind.loss`."""
        assert isinstance(model.config, FlowConfig)
        config = model.config

        def summed(x_BT: torch.Tensor, y_BT: torch.Tensor) -> torch.Tensor:
            rows_BT = x_BT.to(model.device)
            losses_B = flow_loss(forward, config, rows_BT, torch.default_generator)
            return losses_B.sum() * rows_BT.shape[1]

        return summed

    def held_out_loss(
        self, model: PreTrainedModel, reader: TokenReader, sequence_tokens: int
    ) -> float:
        """As `Kind.held_out_loss`."""
        assert isinstance(model, FlowModel)
        return held_out_loss(model, reader)

    def save(
        self,
        folder: Path,
        config: PreTrainedConfig,
        tensors: Mapping[str, np.ndarray],
        corpus: Path,
        facts: RunFacts,
    ) -> None:
        """As `Kind.save`: a folder as diffusers' pipelines have, with what the captions and the
        pictures are coded by."""
        assert isinstance(config, FlowConfig)
        save_flow(folder, config, tensors, corpus, card=picture_card(facts))
