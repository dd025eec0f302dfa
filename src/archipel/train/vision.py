"""Models that see: they learn to answer questions about a corpus's pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from transformers import (
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedConfig,
    PreTrainedModel,
)

from archipel.corpus import Manifest, TokenReader, read_manifest
from archipel.corpus.manifest import TOKENIZER
from archipel.errors import ModelError
from archipel.images.seeing import ROWS, Rows, answer_loss, held_out_loss
from archipel.images.seeing_folder import load_seeing, save_seeing
from archipel.images.seeing_sizes import SIZES, check_asks, seeing_config
from archipel.images.sighted import KEPT
from archipel.models.card import RunFacts
from archipel.train.kinds import Loss, transformers_config


class Vision:
    """See `Kind`. A row's loss counts for all of its tokens."""

    optimiser: Literal["adamw", "muon"] = "muon"  # AdamW is far longer blind to the picture
    unit = "nats/token of answers"
    has_gguf = True
    has_lora = False
    sees = True

    def config(self, fields: Mapping[str, Any]) -> PreTrainedConfig:
        """As `Kind.config`."""
        return transformers_config(fields)

    def first_model(
        self, name: str, manifest: Manifest, corpus: Path, context: int | None, seed: int
    ) -> PreTrainedModel:
        """As `Kind.first_model`.

        Raises:
            ConfigError: nothing is asked about the corpus's pictures.
        """
        if not self.learns_further(name):
            return self.new_model(seeing_config(name, manifest, corpus), seed)
        check_asks(manifest, corpus)
        assert manifest.pictures
        model = _made(load_seeing(Path(name)))
        parts: Any = model.config
        own = (parts.vision_config.image_size, parts.text_config.vocab_size)
        if own != (manifest.pictures.size, manifest.vocab_size):
            raise ModelError(
                f"{name} sees pictures of {own[0]} pixels and knows {own[1]:,} tokens, the corpus "
                f"has {manifest.pictures.size} and {manifest.vocab_size:,}: train a new one on it, "
                "as with --model vision-nano"
            )
        return model

    def learns_further(self, name: str) -> bool:
        """As `Kind.learns_further`."""
        return name not in SIZES

    def new_model(self, config: PreTrainedConfig, seed: int) -> PreTrainedModel:
        """As `Kind.new_model`."""
        assert isinstance(config, LlavaConfig)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return _made(LlavaForConditionalGeneration(config))

    def equip(self, model: PreTrainedModel, corpus: Path) -> None:
        """As `Kind.equip`."""
        assert isinstance(model.config, LlavaConfig)
        model.add_module(ROWS, Rows(read_manifest(corpus), corpus, model.config))

    def loss(self, model: PreTrainedModel, forward: Any, *, alone: bool) -> Loss:
        """As `Kind.loss`."""
        assert isinstance(model, LlavaForConditionalGeneration)

        def summed(x_BT: torch.Tensor, y_BT: torch.Tensor) -> torch.Tensor:
            loss = answer_loss(model, x_BT.to(model.device), None if alone else forward)
            return loss * x_BT.numel()

        return summed

    def held_out_loss(
        self, model: PreTrainedModel, reader: TokenReader, sequence_tokens: int
    ) -> float:
        """As `Kind.held_out_loss`."""
        assert isinstance(model, LlavaForConditionalGeneration)
        return held_out_loss(model, reader, sequence_tokens)

    def save(
        self,
        folder: Path,
        config: PreTrainedConfig,
        tensors: Mapping[str, np.ndarray],
        corpus: Path,
        facts: RunFacts,
    ) -> None:
        """As `Kind.save`: a Hugging Face checkpoint with its processor."""
        assert isinstance(config, LlavaConfig)
        save_seeing(folder, config, tensors, corpus / TOKENIZER, facts)


def _made(model: LlavaForConditionalGeneration) -> LlavaForConditionalGeneration:
    """Ready to learn. What its language model sees are hidden states, which the vision
    transformer's last norm does not touch; torch's fused attention takes longer on a CPU than the
    plain one for rows as short as these."""
    eyes = model.model.vision_tower
    (eyes if getattr(model.config, KEPT, False) else eyes.post_layernorm).requires_grad_(False)
    model.set_attn_implementation("eager")
    return model
