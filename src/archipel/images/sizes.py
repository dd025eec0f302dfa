"""Sizes of our models of pictures by name, fitted to a corpus."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from archipel.corpus.manifest import LATENTS, Manifest
from archipel.corpus.pictures import Latents
from archipel.errors import ConfigError
from archipel.images.flow import FlowConfig


@dataclass(frozen=True)
class Size:
    """A chain of residual layers."""

    hidden: int
    layers: int
    feed_forward: int


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        "nano": Size(512, 4, 1024),
        "micro": Size(768, 4, 1536),
        "small": Size(1024, 8, 3072),
        "base": Size(1536, 12, 4608),
    }
)


def flow_config(name: str, manifest: Manifest, corpus: Path) -> FlowConfig:
    """The configuration of a size for the pictures of a corpus. Latents keep their own spread, of a
    mean square of 1.

    Raises:
        ConfigError: the corpus has no pictures.
        IntegrityError: the code of its pictures is damaged.
    """
    if manifest.pictures is None:
        raise ConfigError(
            f"{corpus} has no pictures: build one with `archipel corpus build --images`"
        )
    scale = Latents.load(corpus / LATENTS).scale
    scale = scale / np.sqrt(np.square(scale).mean())
    size = SIZES[name]
    return FlowConfig(
        vocab_size=manifest.vocab_size,
        end_of_text_id=manifest.end_of_text_id,
        caption_tokens=manifest.pictures.caption_tokens,
        picture_size=manifest.pictures.size,
        latent_scale=[round(float(one), 6) for one in scale],
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        intermediate_size=size.feed_forward,
    )
