"""The kinds of model that a run trains. All else, from claims to merging, is the same for all."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, LlavaConfig, PreTrainedConfig, PreTrainedModel

from archipel.corpus import Manifest, TokenReader, read_manifest
from archipel.errors import ConfigError
from archipel.images.flow import FlowConfig
from archipel.images.seeing_sizes import SIZES
from archipel.ledger import RunSpec
from archipel.models.card import RunFacts
from archipel.models.sizes import has_weights, read_config
from archipel.tune.pair_rows import PAIRS

# Inputs and targets, int64 [sequences, tokens] in host memory → the sum of the losses of all
# targets, on the model's device.
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Kind(Protocol):
    """What a model is made of, what it learns from a corpus's rows, and how it is written."""

    optimiser: Literal["adamw", "muon"]  # the usual one
    unit: str  # what a loss is measured in
    has_gguf: bool  # whether llama.cpp has such models
    has_lora: bool  # whether factors can be learnt beside such models
    sees: bool  # whether its GGUF has a second file, with its sight

    def config(self, fields: Mapping[str, Any]) -> PreTrainedConfig:
        """A configuration as a run's spec has it.

        Raises:
            ConfigError: it can't be used.
        """
        ...

    def first_model(
        self, name: str, manifest: Manifest, corpus: Path, context: int | None, seed: int
    ) -> PreTrainedModel:
        """What a run begins with: a size by its `name` or, to learn further, a model at a path.

        Raises:
            ModelError: the size is unknown, or the model can't be used.
        """
        ...

    def learns_further(self, name: str) -> bool:
        """Whether `first_model` of this name has learnt before."""
        ...

    def new_model(self, config: PreTrainedConfig, seed: int) -> PreTrainedModel:
        """A model with random weights in fp32, the same for the same configuration and seed."""
        ...

    def equip(self, model: PreTrainedModel, corpus: Path) -> None:
        """Give a model what else it takes to read the rows of the corpus in this folder.

        Raises:
            ConfigError: the corpus holds nothing that such a model learns from.
            IntegrityError: a file of the corpus is damaged.
        """
        ...

    def loss(self, model: PreTrainedModel, forward: Any, *, alone: bool) -> Loss:
        """What an equipped model learns. `forward` is the model as it is laid out; `alone`: whole,
        over no other process."""
        ...

    def held_out_loss(
        self, model: PreTrainedModel, reader: TokenReader, sequence_tokens: int
    ) -> float:
        """The mean loss on rows that nothing is learnt from, the same for the same model."""
        ...

    def save(
        self,
        folder: Path,
        config: PreTrainedConfig,
        tensors: Mapping[str, np.ndarray],
        corpus: Path,
        facts: RunFacts,
    ) -> None:
        """Write a model as its own tools read it, with a card that tells the facts; `folder`
        appears when it is complete.

        Raises:
            ConfigError: `folder` exists or can't be written.
            ModelError: the tensors don't fit the configuration.
        """
        ...


def kind_of(model_type: object, manifest: Manifest | None = None) -> Kind:
    """By a configuration's `model_type` and, where that matters, what the corpus holds."""
    if model_type == FlowConfig.model_type:
        from archipel.train.pictures import Pictures

        return Pictures()
    if model_type == LlavaConfig.model_type:
        from archipel.train.vision import Vision

        return Vision()
    if manifest and manifest.preferences:
        from archipel.train.preferences import Preferring

        return Preferring()
    from archipel.train.language import Language

    return Language()


def kind_of_model(model: PreTrainedModel) -> Kind:
    """By what a model is, and what it was equipped with to learn."""
    if hasattr(model, PAIRS):
        from archipel.train.preferences import Preferring

        return Preferring()
    return kind_of(model.config.model_type)


def kind_for(name: str, manifest: Manifest) -> Kind:
    """By the name of a size, or the path of a model, and what the corpus holds.

    Raises:
        ModelError: the model at the path has no configuration that can be read.
    """
    folder = Path(name)
    if name in SIZES or (
        has_weights(folder) and read_config(folder).model_type == LlavaConfig.model_type
    ):
        return kind_of(LlavaConfig.model_type)
    return kind_of(FlowConfig.model_type if manifest.pictures else None, manifest)


def transformers_config(fields: Mapping[str, Any]) -> PreTrainedConfig:
    """A configuration of an architecture that transformers has.

    Raises:
        ConfigError: this version doesn't know it, or not with these fields.
    """
    try:
        config = AutoConfig.for_model(**fields)
    except (KeyError, TypeError, ValueError, StrictDataclassError) as error:
        raise ConfigError(
            f"the run's model {fields.get('model_type')!r} can't be used here: {error}. "
            "Upgrade transformers on this site"
        ) from error
    assert isinstance(config, PreTrainedConfig)
    return config


def run_config(spec: RunSpec) -> PreTrainedConfig:
    """The model's configuration as the run's spec has it.

    Raises:
        ConfigError: this version of transformers doesn't know the architecture.
    """
    return kind_of(spec.model.get("model_type")).config(spec.model)


def run_model(spec: RunSpec, corpus: Path | None = None) -> PreTrainedModel:
    """A run's model, its weights random, in fp32; equipped to learn if the folder of the run's
    corpus is given.

    Raises:
        ConfigError: as `run_config`.
        IntegrityError: a file of the corpus is damaged, or the run's base is not here.
    """
    manifest = read_manifest(corpus) if corpus else None
    kind = kind_of(spec.model.get("model_type"), manifest)
    model = kind.new_model(run_config(spec), spec.seed)
    if spec.lora:
        from archipel.train.factors import load_base, put_factors
        from archipel.tune.lora import Lora

        if corpus:
            load_base(model, spec.lora)
        put_factors(model, Lora(spec.lora.rank, spec.lora.alpha), spec.seed)
    if corpus:
        kind.equip(model, corpus)
    return model
