"""Pictures and captions → a linear code and a tokenizer → rows. Needs no torch."""

from archipel.corpus.pictures.build import Built, PictureOptions, build_picture_corpus
from archipel.corpus.pictures.latents import Latents, fit
from archipel.corpus.pictures.reading import Asked, Limits, Picture, read_pictures

__all__ = [
    "Asked",
    "Built",
    "Latents",
    "Limits",
    "Picture",
    "PictureOptions",
    "build_picture_corpus",
    "fit",
    "read_pictures",
]
