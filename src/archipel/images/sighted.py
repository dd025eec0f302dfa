"""A model that sees, begun with eyes that were taught before."""

from typing import Any

import torch
from transformers import LlavaForConditionalGeneration, SiglipVisionModel

KEPT = "freeze_vision_layers"  # in a configuration: the eyes stay as they are, as Idefics has it


@torch.no_grad()
def give_eyes(
    model: LlavaForConditionalGeneration, eyes: SiglipVisionModel, pictures_B3SS: torch.Tensor
) -> None:
    """Put `eyes` into a new model, to stay as they are. Its projector begins by making what they
    tell of these pictures, fp32 [B, 3, S, S] in -1..1, of mean 0 and deviation 1, value by value:
    it is shown them without their last norm."""
    model.model.vision_tower.load_state_dict(eyes.state_dict())
    setattr(model.config, KEPT, True)
    shown: Any = eyes.eval()(pixel_values=pictures_B3SS, output_hidden_states=True)
    told_NW = shown.hidden_states[-1].flatten(0, 1)
    first: Any = model.model.multi_modal_projector.linear_1
    first.weight.div_(told_NW.std(0))
    first.bias.sub_(first.weight @ told_NW.mean(0))
