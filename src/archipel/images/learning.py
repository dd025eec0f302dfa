"""What a picture model learns from a corpus's rows, and how well it does.

Shapes: B rows, C caption tokens, V latent values.
"""

from typing import Any

import torch

from archipel.corpus import TokenReader
from archipel.corpus.pictures.latents import DEVIATION, ZERO
from archipel.images.flow import FlowConfig, FlowModel
from archipel.models.precision import autocast

_UNCAPTIONED = 0.1  # share of the pictures that are learnt without their captions, to guide by
_FORGOTTEN = 0.4  # up to this share of a caption's tokens, that others suffice
_LEAST_TIME = 0.02  # nearer to the picture its noise weighs no more
_MEASURED, _TOGETHER = 2048, 256  # rows


def parts(rows_BT: torch.Tensor, config: FlowConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of a corpus, int64 [B, C + V], as captions [B, C] and what the model takes as pictures,
    fp32 [B, V]."""
    captions_BC, values_BV = rows_BT.split([config.caption_tokens, config.values], dim=1)
    scale_V = DEVIATION * config.scale(rows_BT.device)
    return captions_BC, (values_BV - ZERO).float() * scale_V


def flow_loss(
    forward: Any, config: FlowConfig, rows_BT: torch.Tensor, dice: torch.Generator
) -> torch.Tensor:
    """Each row's loss, fp32 [B]: the mean squared error of the velocity ε − x (rectified flow), at
    a time that is drawn, logit-normal around the configuration's shift (Esser et al. 2024, arXiv
    2403.03206, section 3.1), of a part of the caption's tokens that is drawn too."""
    captions_BC, picture_BV = parts(rows_BT, config)
    drawn_B = torch.randn(len(rows_BT), generator=dice)
    noise_BV = torch.randn(picture_BV.shape, generator=dice)
    share_B1 = _FORGOTTEN * torch.rand(len(rows_BT), 1, generator=dice)
    share_B1[torch.rand(len(rows_BT), 1, generator=dice) < _UNCAPTIONED] = 1
    forgotten_BC = torch.rand(captions_BC.shape, generator=dice) < share_B1
    device = rows_BT.device
    time_B, noise_BV, forgotten_BC = (
        (drawn_B * config.time_spread + config.time_shift).sigmoid().to(device),
        noise_BV.to(device),
        forgotten_BC.to(device),
    )
    captions_BC = captions_BC.masked_fill(forgotten_BC, config.end_of_text_id)
    time_B1 = time_B.unsqueeze(-1)
    noisy_BV = (1 - time_B1) * picture_BV + time_B1 * noise_BV
    found_BV = forward(captions_BC, noisy_BV, time_B)
    error_BV = (found_BV - picture_BV) / time_B1.clamp(min=_LEAST_TIME)
    losses_B: torch.Tensor = error_BV.square().mean(1)
    return losses_B


@torch.no_grad()
def held_out_loss(model: FlowModel, reader: TokenReader) -> float:
    """The mean of `flow_loss` over the first rows of `reader`, at times and with noise that are
    always the same."""
    row = model.config.row_tokens
    count = min(_MEASURED, reader.tokens // row)
    model.eval()
    dice, total = torch.Generator().manual_seed(0), 0.0
    for first in range(0, count, _TOGETHER):
        rows = min(_TOGETHER, count - first)
        found = reader.read(first * row, rows * row).reshape(rows, row)
        rows_BT = torch.from_numpy(found).to(model.device)
        with autocast(model.device):
            total += float(flow_loss(model, model.config, rows_BT, dice).sum())
    return total / max(1, count)
