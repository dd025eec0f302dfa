"""Tiny models that see, with random weights, as folders with their processors."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import (
    AutoModelForImageTextToText,
    Idefics3Config,
    PreTrainedConfig,
    Qwen2VLConfig,
)

from archipel.images.seeing_folder import save_seeing
from archipel.models.card import RunFacts
from archipel.models.purpose import Purpose
from tests.models.conftest import save_tokenizer
from tests.models.llava import TEMPLATE, draw_weights, save_llava

# Each of them, and how it writes a picture down.
MARKS = {"llava": "<image>", "idefics": "<image>", "qwen": "<|image_pad|>"}
_END = "<|endoftext|>"
_TOKENIZER = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": _END}
_TEXT = {
    **{"vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512},
    **{"bos_token_id": None, "eos_token_id": 0},
}


def save_seer(kind: str, folder: Path) -> None:
    """One of `MARKS` in a folder that is not there yet."""
    {"llava": _llava, "idefics": _idefics, "qwen": _qwen}[kind](folder)


def some_facts(name: str) -> RunFacts:
    """What the card says of a model that no run made."""
    return RunFacts(
        name=name,
        purpose=Purpose(),
        size="llava",
        parameters=1,
        tokens=2,
        sites=1,
        rounds=1,
        held_out_loss=None,
        corpus_digest="",
        date="",
    )


def _llava(folder: Path) -> None:
    """As `archipel run export` writes a model that sees."""
    made = folder.with_name(f"{folder.name}-made")
    model = save_llava(made, "siglip")
    write_json(made, tokenizer_config=_TOKENIZER)
    tensors = {name: each.detach().numpy() for name, each in model.named_parameters()}
    save_seeing(folder, model.config, tensors, made, some_facts("looker"))


def _idefics(folder: Path) -> None:
    """A picture of it is several: cut up, and whole."""
    eyes = {
        **{"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2},
        **{"num_attention_heads": 4, "image_size": 32, "patch_size": 8},
    }
    config = Idefics3Config(
        text_config={"model_type": "llama", **_TEXT},
        vision_config=eyes,
        image_token_id=1,
        scale_factor=2,
        pad_token_id=0,
    )
    marks = ("<fake_token_around_image>", "<end_of_utterance>", "<global-img>")
    sizes = {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}}
    _save(
        folder,
        config,
        [_END, "<image>", *marks],
        TEMPLATE,
        preprocessor_config={"image_processor_type": "Idefics3ImageProcessor", **sizes},
        processor_config={"processor_class": "Idefics3Processor", "image_seq_len": 4},
    )


def _qwen(folder: Path) -> None:
    """A picture of it is as many tokens as it is large; its processor could read videos too."""
    marks = [_END, "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 3, 3]}
    eyes = {"depth": 2, "embed_dim": 64, "hidden_size": 64, "num_heads": 4, "patch_size": 8}
    config = Qwen2VLConfig(
        text_config={**_TEXT, "rope_parameters": rope},
        vision_config={**eyes, "mlp_ratio": 2},
        image_token_id=1,
        video_token_id=2,
        vision_start_token_id=3,
        vision_end_token_id=4,
    )
    pictures = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 8}
    _save(
        folder,
        config,
        marks,
        TEMPLATE.replace("<image>", "<|vision_start|><|image_pad|><|vision_end|>"),
        preprocessor_config={**pictures, "size": {"shortest_edge": 256, "longest_edge": 4096}},
        processor_config={"processor_class": "Qwen2VLProcessor"},
    )


def _save(
    folder: Path, config: PreTrainedConfig, marks: list[str], template: str, **files: Any
) -> None:
    folder.mkdir()
    save_tokenizer(folder, marks)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForImageTextToText.from_config(config).eval()
        draw_weights(model, tokenizer)
    model.save_pretrained(folder)
    templates: Mapping[str, str] = {"chat_template": template}
    write_json(folder, chat_template=templates, tokenizer_config={**_TOKENIZER, **templates})
    write_json(folder, **files)


def write_json(folder: Path, **files: Any) -> None:
    """Each as NAME.json."""
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
