"""What `archipel plan` says of our sites, beside what they do on shaped links. Linux, root.

The sites, links and runs of `archipel bench wan`, without the peers; what was measured there is not
measured again. A site's speed while none exchanges is all that the planner is told of them.
"""

from typing import Any

from benchmarks.wan import PLANNED_WAYS, race

_FIGURES = (
    "busy_share",
    "pace_share",
    "wan_bytes_per_token",
    "tokens_per_second",
    "training_cores",
)
_PLANNED = ("planned_busy_share", "planned_wan_bytes_per_token")


def run(quick: bool) -> dict[str, Any]:
    """Measure and plan each link, and return the figures side by side."""
    found = race(quick, PLANNED_WAYS, {})
    return {
        "sites": found["sites"],
        "parameters": found["parameters"],
        "profiles": {
            profile: {way: _of(figures) for way, figures in ways.items()}
            for profile, ways in found["profiles"].items()
        },
    }


def _of(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in (*_FIGURES, *_PLANNED) if name in figures}
