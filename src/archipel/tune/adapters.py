"""LoRA through PEFT: factors beside a model's matrices, and the folder that holds them."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, TaskType, get_peft_model
from safetensors import SafetensorError
from transformers import PreTrainedModel

from archipel.errors import ConfigError, ModelError


@dataclass(frozen=True)
class Lora:
    """`rank` columns in each factor; what they amount to is scaled by `alpha` / `rank`."""

    rank: int
    alpha: float


class Adapted:
    """A model with factors beside all its matrices but the output's; only they are trained."""

    def __init__(self, model: PreTrainedModel, lora: Lora, *, base: str, seed: int) -> None:
        """`base` is what the folder says that it belongs to.

        Raises:
            ModelError: PEFT does not know where to put factors in this architecture.
        """
        wanted = LoraConfig(
            task_type=TaskType.CAUSAL_LM,
            r=lora.rank,
            lora_alpha=lora.alpha,
            target_modules="all-linear",
        )
        try:
            with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
                torch.manual_seed(seed)
                self._peft: Any = get_peft_model(model, wanted)
            self._peft.peft_config["default"].base_model_name_or_path = base
        except ValueError as error:
            raise ModelError(
                f"no LoRA for this architecture ({error}): tune it whole, without --lora"
            ) from error

    def save(self, folder: Path) -> None:
        """Write adapter_config.json and adapter_model.safetensors into an empty folder.

        Raises:
            ConfigError: the disk is full.
        """
        try:
            self._peft.save_pretrained(folder)
        except SafetensorError as error:
            raise ConfigError(f"can't write {folder}: {error}. Free some space first") from error

    def merged(self) -> PreTrainedModel:
        """The model as it is with the factors worked in; this object is of no more use then."""
        model = self._peft.merge_and_unload()
        assert isinstance(model, PreTrainedModel)
        return model
