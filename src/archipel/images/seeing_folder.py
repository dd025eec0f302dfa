"""A folder with one of our models that see: a Hugging Face checkpoint, and how its pictures and
words are made ready, as transformers' processor of Llava reads it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from transformers import LlavaConfig, LlavaForConditionalGeneration

from archipel.corpus.roles import IMAGE, PICTURE_TEMPLATE
from archipel.errors import ModelError
from archipel.images.card import seeing_card
from archipel.models.card import RunFacts
from archipel.models.checkpoint import load_model, save_checkpoint

_BICUBIC = 3


def save_seeing(
    folder: Path,
    config: LlavaConfig,
    tensors: Mapping[str, np.ndarray],
    tokenizer: Path,
    facts: RunFacts,
) -> None:
    """Write the model whose parameters these are; `folder` appears when it is complete.

    Raises:
        ConfigError: `folder` exists or can't be written.
        ModelError: the tensors don't fit the configuration.
    """
    eyes: Any = config.vision_config
    pictures = {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": eyes.image_size},
        "resample": _BICUBIC,
        "do_center_crop": True,
        "crop_size": {"height": eyes.image_size, "width": eyes.image_size},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    both = {
        "processor_class": "LlavaProcessor",
        "patch_size": eyes.patch_size,
        "vision_feature_select_strategy": config.vision_feature_select_strategy,
        "num_additional_image_tokens": 0,
        "image_token": IMAGE,
    }
    further = {
        "preprocessor_config.json": pictures,
        "processor_config.json": both,
        "chat_template.json": {"chat_template": PICTURE_TEMPLATE},  # a processor reads no other
    }
    save_checkpoint(folder, config, tensors, tokenizer, card=seeing_card(facts), further=further)


def load_seeing(folder: Path) -> LlavaForConditionalGeneration:
    """The model in such a folder, in fp32.

    Raises:
        ModelError: a file is missing or damaged, or it is another model.
    """
    model = load_model(folder)
    if not isinstance(model, LlavaForConditionalGeneration):
        raise ModelError(
            f"{folder} holds a {type(model).__name__}, not a Llava: give a folder that `archipel "
            "run export` wrote of a run with --model vision-nano"
        )
    return model
