"""Forecasts as a picture: days, cost and busy share, side by side."""

from collections.abc import Mapping
from pathlib import Path

from archipel.errors import ConfigError
from archipel.plan.forecast import Forecast

_COLOUR = "#1b6ca8"


def draw(found: Mapping[str, Forecast], file: Path) -> None:
    """Write a PNG.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ConfigError("pictures need matplotlib: pip install 'archipel[train]'") from error
    mpl.use("agg")
    import matplotlib.pyplot as plt

    panels = {
        "days": [run.days for run in found.values()],
        "cost": [run.cost for run in found.values()],
        "busy, %": [100 * run.busy_share for run in found.values()],
        "steps between syncs": [run.sync_steps for run in found.values()],
    }
    height = 1.2 + 0.45 * len(found)
    figure, axes = plt.subplots(1, len(panels), figsize=(13, height), sharey=True)
    for axis, (title, values) in zip(axes, panels.items(), strict=True):
        bars = axis.barh(list(found), values, color=_COLOUR)
        axis.bar_label(bars, fmt="{:,.4g}", padding=3, fontsize=9)
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_xlim(0, 1.25 * max(values) or 1)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(file, dpi=110)
