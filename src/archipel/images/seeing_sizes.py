"""Sizes of our models that see, by name, fitted to a corpus.

They are transformers' own Llava (Liu et al. 2023, arXiv 2304.08485), far smaller: SigLIP's vision
transformer (Zhai et al. 2023, arXiv 2303.15343), its patches through a projector of two layers, in
front of a question to a Llama. So transformers and llama.cpp read what comes of them; CLIP's, with
its class token, llama.cpp computes otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from transformers import LlavaConfig, SiglipVisionConfig

from archipel.corpus import Manifest
from archipel.corpus.manifest import TOKENIZER
from archipel.corpus.roles import IMAGE
from archipel.corpus.tokenizer import load_tokenizer
from archipel.errors import ConfigError
from archipel.models.sizes import model_config

PREFIX = "vision-"  # of the sizes' names
_CONTEXT = 512
_HEAD = 64  # values


@dataclass(frozen=True)
class Size:
    """A vision transformer for pictures of `side` × `side` patches; a language model's size, and
    how many layers of it."""

    hidden: int
    layers: int
    side: int
    text: str
    text_layers: int


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        f"{PREFIX}nano": Size(192, 4, side=4, text="nano", text_layers=2),
        f"{PREFIX}micro": Size(384, 6, side=8, text="micro", text_layers=4),
    }
)


def seeing_config(name: str, manifest: Manifest, corpus: Path) -> LlavaConfig:
    """The configuration of a size for the pictures and questions of a corpus.

    Raises:
        ConfigError: nothing is asked about the corpus's pictures, or they can't be cut into
            patches.
    """
    check_asks(manifest, corpus)
    assert manifest.pictures
    size, pixels = SIZES[name], manifest.pictures.size
    if pixels % size.side:
        raise ConfigError(
            f"pictures of {pixels} pixels can't be cut into {size.side} × {size.side} patches for "
            f"{name}: build the corpus with --size {-(-pixels // size.side) * size.side}"
        )
    text = model_config(
        size.text,
        vocab_size=manifest.vocab_size,
        context=_CONTEXT,
        end_of_text_id=manifest.end_of_text_id,
    )
    text.num_hidden_layers = size.text_layers
    return LlavaConfig(
        vision_config=sight_config(size, pixels),
        text_config=text,
        image_token_index=load_tokenizer(corpus / TOKENIZER).get_vocab()[IMAGE],
        image_seq_length=size.side**2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=True,
    )


def sight_config(size: Size, pixels: int) -> SiglipVisionConfig:
    """The configuration of a size's vision transformer, for pictures of `pixels` of a side, which
    the size's side divides."""
    return SiglipVisionConfig(
        vision_use_head=False,
        hidden_size=size.hidden,
        intermediate_size=4 * size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.hidden // _HEAD,
        image_size=pixels,
        patch_size=pixels // size.side,
    )


def check_asks(manifest: Manifest, corpus: Path) -> None:
    """Raises ConfigError for a corpus without questions about pictures."""
    if manifest.pictures is None or manifest.pictures.answers is None:
        raise ConfigError(
            f"{corpus} has no questions about pictures, which a model that sees learns from: give "
            'them as "asked" in metadata.jsonl, and build it with `archipel corpus build --images`'
        )
