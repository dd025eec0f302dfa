"""A small model of text → image: a flow in the space of a corpus's picture latents.

From pure noise (time 1) a picture (time 0) is reached along straight lines, x_t = (1 − t) x + t ε
(rectified flow, Liu et al. 2022, arXiv 2209.03003). The model says from x_t, t and a caption what x
is. It is a chain of residual layers without attention, each modulated by time and caption (adaLN,
Peebles and Xie 2022, arXiv 2212.09748): on a CPU hardly anything but matrix products. A caption is
the mean of its tokens, so the order of words does not matter.

Shapes: B pictures, C caption tokens, V latent values.
"""

import math

import torch
from torch import nn
from torch.nn.functional import gelu, silu
from transformers import PreTrainedConfig, PreTrainedModel

_TIME_WAVES = 64


class FlowConfig(PreTrainedConfig):
    """What the model is made of. `latent_scale` is how far each latent spreads, [values]: noise is
    as strong for all, so that what spreads most, the coarse, is decided first, while the noise is
    strong. `time_shift` is the logit of the times around which that happens, `time_spread` the
    standard deviation of these logits."""

    model_type = "archipel_flow"

    vocab_size: int = 4096
    end_of_text_id: int = 0  # fills captions up
    caption_tokens: int = 24
    picture_size: int = 64  # pixels of a side
    latent_scale: list[float] | None = None
    time_shift: float = 2.0
    time_spread: float = 1.5
    text_size: int = 256
    hidden_size: int = 768
    intermediate_size: int = 1536
    num_hidden_layers: int = 4

    @property
    def values(self) -> int:
        """Latents of a picture."""
        return len(self.latent_scale or ())

    @property
    def row_tokens(self) -> int:
        """Of a caption with its picture, in a corpus."""
        return self.caption_tokens + self.values

    def scale(self, device: torch.device) -> torch.Tensor:
        """`latent_scale`, fp32 [V]."""
        return torch.tensor(self.latent_scale, device=device)


class FlowModel(PreTrainedModel):
    """See above. Latents are those of the corpus times `latent_scale`."""

    config_class = FlowConfig
    config: FlowConfig

    def __init__(self, config: FlowConfig) -> None:
        super().__init__(config)
        hidden = config.hidden_size
        self.words = nn.Embedding(config.vocab_size, config.text_size)
        self.caption = nn.Linear(config.text_size, hidden)
        self.time = nn.Linear(2 * _TIME_WAVES, hidden)
        self.enter = nn.Linear(config.values, hidden)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)
        self.leave = nn.Linear(hidden, config.values)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
            nn.init.zeros_(module.bias)
        if isinstance(module, _Layer):  # each begins as what it adds to: nothing
            nn.init.zeros_(module.modulation.weight)
            nn.init.zeros_(module.modulation.bias)
        elif isinstance(module, FlowModel):
            nn.init.zeros_(module.leave.weight)

    def forward(
        self, captions_BC: torch.Tensor, noisy_BV: torch.Tensor, time_B: torch.Tensor
    ) -> torch.Tensor:
        """The pictures, as latents in fp32 [B, V], that the noisy ones, likewise, come from, by
        their captions, int64 [B, C], at their times, between 0 and 1.

        What a Gaussian would tell is taken from what is told, and what comes in and what is left to
        say have a variance of 1 (Karras et al. 2022, arXiv 2206.00364, table 1).
        """
        t_B1, scale_V = time_B.unsqueeze(-1), self.config.scale(noisy_BV.device)
        spread_BV = (1 - t_B1) * scale_V
        total_BV = (spread_BV.square() + t_B1.square()).sqrt()
        said_BD = silu(self.time(_waves(time_B)) + self.caption(self._mean(captions_BC)))
        h_BD = self.enter(noisy_BV / total_BV)
        for layer in self.layers:
            h_BD = layer(h_BD, said_BD)
        told_BV = self.leave(self.norm(h_BD)).float()
        guess_BV = spread_BV / total_BV * noisy_BV + t_B1 * told_BV
        found: torch.Tensor = guess_BV / total_BV * scale_V
        return found

    def _mean(self, captions_BC: torch.Tensor) -> torch.Tensor:
        """Of a caption's words; nothing of an empty one."""
        told_BC1 = (captions_BC != self.config.end_of_text_id).unsqueeze(-1)
        words_BCD = self.words(captions_BC) * told_BC1
        mean: torch.Tensor = words_BCD.sum(1) / told_BC1.sum(1).clamp(min=1)
        return mean


class _Layer(nn.Module):
    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)
        self.modulation = nn.Linear(hidden, 3 * hidden)
        self.up = nn.Linear(hidden, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, hidden)

    def forward(self, h_BD: torch.Tensor, said_BD: torch.Tensor) -> torch.Tensor:
        shift_BD, scale_BD, gate_BD = self.modulation(said_BD).chunk(3, dim=-1)
        modulated_BD = self.norm(h_BD) * (1 + scale_BD) + shift_BD
        added = self.down(gelu(self.up(modulated_BD), approximate="tanh"))
        changed: torch.Tensor = h_BD + gate_BD * added
        return changed


def _waves(time_B: torch.Tensor) -> torch.Tensor:
    """Times as sines and cosines of 64 wave lengths, from 2π down to a thousandth of it."""
    powers = torch.arange(_TIME_WAVES, device=time_B.device) / _TIME_WAVES
    angles_BW = time_B.unsqueeze(-1) * torch.exp(powers * math.log(1000))
    return torch.cat([angles_BW.sin(), angles_BW.cos()], dim=-1)
