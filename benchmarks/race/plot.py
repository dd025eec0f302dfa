"""The WAN benchmark's picture: held-out loss by seconds, tokens and bytes, and busy shares."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.race.figures import DEPENDS_ON_ITS_LINK

COLOURS = {
    "data-parallel": "#888888",
    "blocking-fp16": "#c44e52",
    "blocking-uint8": "#dd8452",
    "torchft": "#8172b3",
    "int4": "#1b6ca8",
    "sparse": "#2a9d8f",
}
LABELS = {
    "data-parallel": "data-parallel, fp32",
    "blocking-fp16": "blocking DiLoCo, fp16",
    "blocking-uint8": "blocking DiLoCo, uint8",
    "torchft": "torchft DiLoCo, fp32",
    "int4": "Archipel, int4",
    "sparse": "Archipel, sparse",
}
_PICTURED = "20 Mbit/s, 100 ms"


def draw(figures: Mapping[str, Any], file: Path) -> None:
    """Write the picture; dashed is what was not run to its end but goes on at the measured pace."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    profiles = figures["profiles"]
    pictured = _PICTURED if _PICTURED in profiles else next(iter(profiles))
    figure, axes = plt.subplots(2, 2, figsize=(12, 8.5), layout="constrained")
    axes_of = {
        "seconds": ("seconds", axes[0][0], 1),
        "tokens": ("tokens of all sites, thousands", axes[0][1], 1e-3),
        "wan_bytes": ("MB on all links", axes[1][0], 1e-6),
    }
    for kind, (label, axis, scale) in axes_of.items():
        for way, found in profiles[pictured].items():
            if "curve" in found:
                _curve(axis, way, found, kind, scale)
        axis.axhline(figures["target_loss"], color="#bbbbbb", linewidth=1, zorder=0)
        axis.set_xlabel(label)
        axis.set_ylabel("held-out loss, nats per token")
        if kind != "tokens":
            axis.set_xscale("log")
            axis.set_xlim(left=1)
    axes[0][0].set_title(f"{figures['sites']} sites, {pictured} each", loc="left")
    axes[0][1].legend(frameon=False)
    _bars(axes[1][1], profiles)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)


def _curve(axis: Any, way: str, found: Mapping[str, Any], kind: str, scale: float) -> None:
    till = math.inf if way in DEPENDS_ON_ITS_LINK else found["measured_tokens"]
    measured = [p for p in found["curve"] if p["tokens"] <= till]
    rest = [p for p in found["curve"] if p["tokens"] > till]
    for points, style in ((measured, "-"), ([*measured[-1:], *rest], "--")):
        axis.plot(
            [p[kind] * scale for p in points],
            [p["loss"] for p in points],
            style,
            color=COLOURS[way],
            label=LABELS[way] if style == "-" else None,
        )


def _bars(axis: Any, profiles: Mapping[str, Any]) -> None:
    width = 0.8 / len(COLOURS)
    for number, (way, colour) in enumerate(COLOURS.items()):
        places = [place + number * width for place in range(len(profiles))]
        shares = [100 * found.get(way, {}).get("busy_share", 0) for found in profiles.values()]
        axis.bar(places, shares, width, color=colour)
    names = [profile.replace(", ", "\n") for profile in profiles]
    axis.set_xticks([place + 0.4 for place in range(len(profiles))], names)
    axis.set_ylabel("busy, against no exchange, %")
