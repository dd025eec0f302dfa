"""A folder with one of our models of pictures, laid out as diffusers' pipelines are: what codes the
captions, what codes the pictures, and the model between them."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from archipel import __version__
from archipel.corpus.manifest import LATENTS, TOKENIZER
from archipel.errors import ConfigError, ModelError
from archipel.files import read_json, write_json
from archipel.images.flow import FlowConfig, FlowModel
from archipel.images.pipeline import OWN_CLASS
from archipel.models.folders import complete_folder
from archipel.models.sizes import PICTURES_INDEX

_MODEL, _WEIGHTS, _CODE = "transformer", "diffusion_pytorch_model.safetensors", "latents"


def save_flow(
    folder: Path, config: FlowConfig, tensors: Mapping[str, np.ndarray], corpus: Path, *, card: str
) -> None:
    """Write the model whose parameters these are, with its corpus's tokenizer and code of pictures;
    `folder` appears when it is complete, and `card` becomes its README.md.

    Raises:
        ConfigError: `folder` exists or can't be written.
        ModelError: the tensors don't fit the configuration.
    """
    with torch.device("meta"):
        shapes = {name: tuple(p.shape) for name, p in FlowModel(config).named_parameters()}
    if shapes != {name: tensor.shape for name, tensor in tensors.items()}:
        raise ModelError(
            "the tensors don't fit the model's configuration: save them with the one that they "
            "were trained under"
        )
    with complete_folder(folder) as temporary:
        for part in (_MODEL, _CODE):
            (temporary / part).mkdir()
        index = {"_class_name": OWN_CLASS, "_archipel_version": __version__}
        write_json(temporary / PICTURES_INDEX, index)
        write_json(temporary / _MODEL / "config.json", config.to_dict())
        weights = {
            name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in tensors.items()
        }
        try:
            save_file(weights, temporary / _MODEL / _WEIGHTS)
        except SafetensorError as error:  # how safetensors reports a full disk
            raise ConfigError(f"can't write {folder}: {error}. Free some space first") from error
        shutil.copytree(corpus / TOKENIZER, temporary / TOKENIZER)
        shutil.copyfile(corpus / LATENTS, temporary / _CODE / LATENTS)
        (temporary / "README.md").write_text(card, encoding="utf-8")


def load_flow(folder: Path) -> FlowModel:
    """The model in a folder that `save_flow` wrote, in fp32.

    Raises:
        ModelError: a file is missing or damaged, or does not fit the others.
    """
    remedy = "Give a folder that `archipel run export` wrote of a run of pictures"
    try:
        fields: Any = read_json(folder / _MODEL / "config.json")
        model = FlowModel(FlowConfig(**fields))
        model.load_state_dict(load_file(folder / _MODEL / _WEIGHTS))
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"can't load the model of pictures in {folder}: {error}. {remedy}"
        ) from error
    model.eval()
    return model


def code_file(folder: Path) -> Path:
    """What the pictures are coded by."""
    return folder / _CODE / LATENTS
