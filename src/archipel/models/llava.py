"""A Llava's checkpoint in its two halves: a Llama, and what sees for it.

transformers names the same tensors in several ways, by version and by how they were saved.
"""

import re

from transformers import LlavaConfig, PreTrainedConfig

_TEXT = re.compile(r"(?:language_model\.model|model\.language_model)\.(.+)")
_SIGHT = re.compile(
    r"(?:model\.)?(?:(vision_tower)(?:\.vision_model)?|(multi_modal_projector))\.(.+)"
)


def text_config(config: PreTrainedConfig) -> PreTrainedConfig:
    """The configuration of a Llava's Llama; any other model's own."""
    if not isinstance(config, LlavaConfig):
        return config
    text = config.text_config
    assert isinstance(text, PreTrainedConfig)
    text.tie_word_embeddings = config.tie_word_embeddings  # what counts where the two differ
    return text


def text_name(source_name: str) -> str | None:
    """A tensor's name in a Llama of its own; None if it is of the half that sees."""
    if _SIGHT.fullmatch(source_name):
        return None
    found = _TEXT.fullmatch(source_name)
    return f"model.{found[1]}" if found else source_name.removeprefix("language_model.")


def sight_name(source_name: str) -> str | None:
    """`vision_tower.…` or `multi_modal_projector.…`; None for a tensor of the Llama."""
    found = _SIGHT.fullmatch(source_name)
    return f"{found[1] or found[2]}.{found[3]}" if found else None
