"""Pictures changed so that they still show the same thing: what a model that looks at pictures
learns from, lest it knows them by heart.

Shapes: B pictures, [B, 3, S, S] in -1..1, on white. All is drawn from torch's default generator.
Nothing is mirrored: writing, flags and hands would show something else.
"""

import torch
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, interpolate, max_pool2d

_KNOTS = 4  # of a side, between which a bend is smooth
_ALL = (1, 1, 1)


def moved(
    x_B3SS: torch.Tensor,
    *,
    scale: tuple[float, float],
    turn: float,
    shift: float,
    bend: float = 0.0,
) -> torch.Tensor:
    """Each seen from `scale` times as far (below 1: nearer), turned by up to `turn` radians and
    shifted by up to `shift` half sides, and bent, smoothly, by about `bend` half sides."""
    count, device = len(x_B3SS), x_B3SS.device
    far = _between(*scale, count, (), device)
    angle = _between(-turn, turn, count, (), device)
    cos, sin = far * angle.cos(), far * angle.sin()
    way = _between(-shift, shift, count, (2,), device)
    rows = [
        torch.stack([cos, -sin, way[:, 0]], 1),
        torch.stack([sin, cos, way[:, 1]], 1),
    ]
    grid = affine_grid(torch.stack(rows, 1), list(x_B3SS.shape), align_corners=False)
    if bend:
        knots = bend * torch.randn(count, 2, _KNOTS, _KNOTS, device=device)
        smooth = interpolate(knots, x_B3SS.shape[-2:], mode="bicubic", align_corners=False)
        grid = grid + smooth.permute(0, 2, 3, 1)
    seen: torch.Tensor = grid_sample(x_B3SS - 1, grid, padding_mode="zeros", align_corners=False)
    return seen + 1


def lit(x_B3SS: torch.Tensor, light: tuple[float, float]) -> torch.Tensor:
    """Each nearer to white, or farther from it."""
    return 1 + (x_B3SS - 1) * _between(*light, len(x_B3SS), _ALL, x_B3SS.device)


def noisy(x_B3SS: torch.Tensor, most: float) -> torch.Tensor:
    """Each with noise of its own strength, up to a deviation of `most`."""
    strength = _between(0, most, len(x_B3SS), _ALL, x_B3SS.device)
    return x_B3SS + strength * torch.randn_like(x_B3SS)


def restyled(x_B3SS: torch.Tensor) -> torch.Tensor:
    """As another hand could have drawn them: in other colours, which stay near enough to tell flags
    apart, some grey, some with lines around what is in them or of lines alone, some blurred."""
    count, device = len(x_B3SS), x_B3SS.device
    x = _recoloured(x_B3SS, hue=0.15, saturation=(0.6, 1.4), grey=0.05)
    x = lit(x, (0.8, 1.2)).clamp(-1, 1)
    gamma = _between(-0.3, 0.3, count, _ALL, device).exp()
    x = 2 * ((x + 1) / 2 + 1e-3) ** gamma - 1  # not 0, where a power below 1 is infinitely steep
    lines = _edges(x) * _between(0.5, 1.5, count, _ALL, device)
    ink = lines.clamp(max=1) * _some(0.1, count, device)
    x = x - (x + 1) * ink
    x = torch.lerp(x, (1 - 2 * lines).clamp(min=-1).expand_as(x), _some(0.05, count, device))
    coarse = interpolate(avg_pool2d(x, 2), x.shape[-2:], mode="bilinear", align_corners=False)
    return torch.lerp(x, coarse, _some(0.2, count, device))


def _recoloured(
    x_B3SS: torch.Tensor, *, hue: float, saturation: tuple[float, float], grey: float
) -> torch.Tensor:
    """Colours turned around the grey axis by up to `hue` radians, and farther from or nearer to it;
    a share of the pictures on it."""
    count, device = len(x_B3SS), x_B3SS.device
    shade = x_B3SS.mean(1, keepdim=True)
    colour = x_B3SS - shade
    across = (colour.roll(-1, 1) - colour.roll(1, 1)) / 3**0.5
    angle = _between(-hue, hue, count, _ALL, device)
    strength = _between(*saturation, count, _ALL, device) * (1 - _some(grey, count, device))
    return shade + strength * (angle.cos() * colour + angle.sin() * across)


def _edges(x_B3SS: torch.Tensor) -> torch.Tensor:
    """How much neighbours differ, [B, 1, S, S] in 0..2."""
    differ = max_pool2d(x_B3SS, 3, 1, 1) + max_pool2d(-x_B3SS, 3, 1, 1)
    return differ.amax(1, keepdim=True)


def _between(
    low: float, high: float, count: int, more: tuple[int, ...], device: torch.device
) -> torch.Tensor:
    return torch.empty(count, *more, device=device).uniform_(low, high)


def _some(share: float, count: int, device: torch.device) -> torch.Tensor:
    """1 for a share of the pictures, else 0: [B, 1, 1, 1]."""
    return (torch.rand(count, *_ALL, device=device) < share).float()
