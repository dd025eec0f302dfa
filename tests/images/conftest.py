"""A tiny pipeline of diffusers with random weights, as it writes one."""

import json
from pathlib import Path

import pytest
import torch

_LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
_TOKENS = [*_LETTERS, *(f"{letter}</w>" for letter in _LETTERS), "<|startoftext|>", "<|endoftext|>"]


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion of 2 MB; its pictures are usually 32 pixels wide and high."""
    pytest.importorskip("diffusers", reason="diffusers is not installed: archipel[diffusers]")
    folder = tmp_path_factory.mktemp("pipelines") / "tiny-painter"
    save_pipeline(folder)
    return folder


def save_pipeline(folder: Path) -> None:
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    common = {"block_out_channels": (32, 32), "norm_num_groups": 16, "layers_per_block": 1}
    unet = UNet2DConditionModel(
        sample_size=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
        **common,
    )
    vae = AutoencoderKL(
        sample_size=32,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        **common,
    )
    config = CLIPTextConfig(
        vocab_size=len(_TOKENS),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        bos_token_id=len(_TOKENS) - 2,
        eos_token_id=len(_TOKENS) - 1,
    )
    StableDiffusionPipeline(
        vae=vae,
        unet=unet,
        text_encoder=CLIPTextModel(config),
        tokenizer=_tokenizer(folder.parent),
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def _tokenizer(folder: Path) -> object:
    from transformers import CLIPTokenizer

    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({token: number for number, token in enumerate(_TOKENS)}))
    merges.write_text("#version: 0.2\n")
    return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77)
