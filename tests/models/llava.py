"""Tiny Llavas with random weights, that see: their answers hang on the picture."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedModel,
    SiglipVisionConfig,
)

from tests.models.conftest import save_tokenizer

SIDE = 32  # pixels
PATCHES = 16  # tokens that a picture takes
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}{% endif %}"
    "{{ '\\n' }}{% endfor %}assistant: "
)
_TOWER = {
    **{"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "image_size": SIDE, "patch_size": 8},
}


def save_llava(folder: Path, tower: str) -> LlavaForConditionalGeneration:
    """A Llava whose tower is "clip" or "siglip" as transformers saves it, with its tokenizer."""
    folder.mkdir(parents=True)
    save_tokenizer(folder, ["<|endoftext|>", "<image>"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    text = LlamaConfig(
        **{"vocab_size": tokenizer.get_vocab_size(), "hidden_size": 48, "intermediate_size": 128},
        **{"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2},
        **{"max_position_embeddings": 256, "bos_token_id": None, "eos_token_id": 0},
        tie_word_embeddings=False,
    )
    seen = CLIPVisionConfig(**_TOWER) if tower == "clip" else SiglipVisionConfig(**_TOWER)
    config = LlavaConfig(
        vision_config=seen,
        text_config=text,
        image_token_index=1,
        image_seq_length=PATCHES,
        vision_feature_select_strategy="default" if tower == "clip" else "full",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlavaForConditionalGeneration(config).eval()
        draw_weights(model, tokenizer)
    model.save_pretrained(folder)
    prepared = {"image_mean": MEAN, "image_std": STD, "size": {"height": SIDE, "width": SIDE}}
    (folder / "preprocessor_config.json").write_text(json.dumps(prepared))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    return model


@torch.no_grad()
def draw_weights(model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    """Weights that pass on what comes in, where those of a new model nearly hush it; and words for
    answers, for llama.cpp tells no log-probability of a token that is a part of a letter."""
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            weight.normal_(0, 1 if "embed" in name else weight[0].numel() ** -0.5)
        elif name.endswith("bias") or "class_embedding" in name:
            weight.normal_(0, 0.1)
    for token in range(2, tokenizer.get_vocab_size()):
        if tokenizer.decode([token]).isascii():
            model.lm_head.weight[token] *= 3


def rename_tensors(folder: Path, names: dict[str, str]) -> None:
    """Change how tensors' names begin: the first of `names` that fits."""
    file = folder / "model.safetensors"
    tensors = {}
    for name, values in load_file(file).items():
        old = next((old for old in names if name.startswith(old)), "")
        tensors[names.get(old, "") + name.removeprefix(old)] = values
    save_file(tensors, file)
