"""What a model that sees learns from a corpus's rows, and how well it does.

Shapes: B rows, C tokens of a question with its answer, V values of a picture, N patches of it.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import LlavaConfig, LlavaForConditionalGeneration

from archipel.corpus import Manifest, TokenReader
from archipel.corpus.answers import NO_TARGET
from archipel.corpus.manifest import LATENTS
from archipel.corpus.pictures import Latents
from archipel.corpus.pictures.latents import DEVIATION, ZERO
from archipel.images.seeing_sizes import check_asks
from archipel.images.varying import moved, noisy, restyled
from archipel.models.precision import autocast

ROWS = "rows"  # the module of a model that reads a corpus's rows
_BEHIND = 0.25  # share of the questions that come before their picture
_MEASURED, _TOGETHER = 2048, 128  # rows


class Rows(nn.Module):
    """A corpus's rows as a model that sees takes them. What it needs of the corpus are buffers, so
    that they are where the model is; none of them is learnt, saved or sent."""

    def __init__(self, manifest: Manifest, corpus: Path, config: LlavaConfig) -> None:
        super().__init__()
        check_asks(manifest, corpus)
        assert manifest.pictures
        assert manifest.pictures.answers
        [self.begin], self.end = manifest.pictures.answers.begin, manifest.pictures.answers.end
        self.caption_tokens = manifest.pictures.caption_tokens
        self.image_token = int(config.image_token_index)
        self.patches = int(config.image_seq_length)
        code = Latents.load(corpus / LATENTS)
        self.size = code.size
        scaled = code.components * (code.scale * DEVIATION)[:, None]
        for name, values in (("mean", code.mean), ("components", scaled)):
            self.register_buffer(name, torch.from_numpy(values).float(), persistent=False)

    def pictures(self, rows_BT: torch.Tensor) -> torch.Tensor:
        """Those of rows, int64 [B, C + V], as pixels [B, 3, S, S], fp32 in -1..1."""
        values_BV = (rows_BT[:, self.caption_tokens :] - ZERO).float()
        pixels = values_BV @ self.get_buffer("components") + self.get_buffer("mean")
        square = pixels.float().clamp(-1, 1).view(-1, self.size, self.size, 3)
        return square.permute(0, 3, 1, 2)

    def words(
        self, rows_BT: torch.Tensor, behind_B: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Questions with N places for their picture in front, or `behind` them, and the answers up
        to the longest one's end: ids and targets, int64 [B, up to N + C]."""
        said_BC = rows_BT[:, : self.caption_tokens]
        begin_B = (said_BC == self.begin).int().argmax(1)
        place_BC = torch.arange(self.caption_tokens, device=rows_BT.device).expand_as(said_BC)
        ends_BC = (said_BC == self.end) & (place_BC > begin_B.unsqueeze(1))
        end_B = ends_BC.int().argmax(1)
        longest = int(end_B.max()) + self.patches  # nothing is foretold from the last token
        at_B1 = torch.where(behind_B, begin_B, 1).unsqueeze(1)  # 1: after the role
        place_BT = torch.arange(longest + 1, device=rows_BT.device).expand(len(rows_BT), -1)
        shows_BT = (place_BT >= at_B1) & (place_BT < at_B1 + self.patches)
        from_BT = torch.where(place_BT < at_B1, place_BT, place_BT - self.patches)
        ids_BT = said_BC.gather(1, from_BT.clamp(0, self.caption_tokens - 1))
        ids_BT = ids_BT.masked_fill(shows_BT, self.image_token)
        answer_BT = (from_BT > begin_B.unsqueeze(1)) & (from_BT <= end_B.unsqueeze(1)) & ~shows_BT
        targets_BT = ids_BT.masked_fill(~answer_BT, NO_TARGET)
        return ids_BT[:, :-1], targets_BT[:, 1:]


def varied(x_B3SS: torch.Tensor) -> torch.Tensor:
    """The pictures as they are shown while they are learnt."""
    seen = moved(x_B3SS, scale=(0.85, 1.2), turn=0.15, shift=0.12, bend=0.03)
    return noisy(restyled(seen), 0.15).clamp(-1, 1)


def answer_loss(
    model: LlavaForConditionalGeneration, rows_BT: torch.Tensor, forward: Any = None
) -> torch.Tensor:
    """Nats per token of the answers and their ends, a mean. While the model learns, the pictures
    are changed, and some questions come before theirs. `forward` is the model as it is laid out;
    without it all but the answers' logits are spared."""
    rows = model.get_submodule(ROWS)
    assert isinstance(rows, Rows)
    pictures, behind = rows.pictures(rows_BT), torch.zeros(len(rows_BT), dtype=torch.bool)
    if model.training:
        pictures, behind = varied(pictures), torch.rand(len(rows_BT)) < _BEHIND
    ids_BT, targets_BT = rows.words(rows_BT, behind.to(rows_BT.device))
    wanted_BT = targets_BT != NO_TARGET
    inputs = {"input_ids": ids_BT, "pixel_values": pictures, "use_cache": False}
    if forward:
        logits_NV = forward(**inputs).logits[wanted_BT]
    else:
        logits_NV = model.lm_head(model.model(**inputs).last_hidden_state[wanted_BT])
    return cross_entropy(logits_NV.float(), targets_BT[wanted_BT])


@torch.no_grad()
def held_out_loss(model: LlavaForConditionalGeneration, reader: TokenReader, row: int) -> float:
    """The mean of `answer_loss` over the first rows, of `row` tokens each, of `reader`."""
    count = min(_MEASURED, reader.tokens // row)
    model.eval()
    total = 0.0
    for first in range(0, count, _TOGETHER):
        rows = min(_TOGETHER, count - first)
        found = reader.read(first * row, rows * row).reshape(rows, row)
        with autocast(model.device):
            total += rows * float(answer_loss(model, torch.from_numpy(found).to(model.device)))
    return total / max(1, count)
