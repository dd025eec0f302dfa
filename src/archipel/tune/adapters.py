"""LoRA through PEFT: factors beside a model's matrices, and the folder that holds them."""

import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, TaskType, get_peft_model
from safetensors import SafetensorError
from transformers import PreTrainedModel

from archipel.errors import ConfigError, ModelError
from archipel.models.folders import complete_folder
from archipel.tune.lora import Lora


def peft_config(lora: Lora) -> LoraConfig:
    """Factors beside all matrices of a model of texts but the output's."""
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules="all-linear",
    )


class Adapted:
    """A model with factors beside all its matrices but the output's; only they are trained."""

    def __init__(self, model: PreTrainedModel, lora: Lora, *, base: str, seed: int) -> None:
        """`base` is what the folder says that it belongs to.

        Raises:
            ModelError: PEFT does not know where to put factors in this architecture.
        """
        try:
            with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
                torch.manual_seed(seed)
                self._peft: Any = get_peft_model(model, peft_config(lora))
            self._peft.peft_config["default"].base_model_name_or_path = base
        except ValueError as error:
            raise ModelError(
                f"no LoRA for this architecture ({error}): tune it whole, without --lora"
            ) from error

    def load(self, factors: Mapping[str, torch.Tensor]) -> None:
        """Take factors that have been learnt, by their names in the model."""
        within = {f"base_model.model.{name}": value for name, value in factors.items()}
        self._peft.load_state_dict(within, strict=False)

    def save(self, folder: Path) -> None:
        """Write adapter_config.json and adapter_model.safetensors into an empty folder.

        Raises:
            ConfigError: the disk is full.
        """
        try:
            # No embeddings are adapted; to find that out, PEFT would ask the hub for the base.
            self._peft.save_pretrained(folder, save_embedding_layers=False)
        except SafetensorError as error:
            raise ConfigError(f"can't write {folder}: {error}. Free some space first") from error

    def merged(self) -> PreTrainedModel:
        """The model as it is with the factors worked in; this object is of no more use then."""
        model = self._peft.merge_and_unload()
        assert isinstance(model, PreTrainedModel)
        return model


def write_adapter(out: Path, adapted: Adapted, tokenizer: Path, card: str) -> None:
    """Write factors with the files of the folder `tokenizer` and a card; `out` appears when it is
    complete.

    Raises:
        ConfigError: `out` exists, or can't be written.
    """
    with complete_folder(out) as folder:
        adapted.save(folder)
        shutil.copytree(tokenizer, folder, dirs_exist_ok=True)
        (folder / "README.md").write_text(card, encoding="utf-8")
