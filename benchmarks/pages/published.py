"""What others have published about busy shares and bandwidth, beside what the planner says.

`python -m benchmarks.pages.published` prints the table of docs/plan.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from archipel.plan.peers import Way, busy_share, exchange_seconds, gigabits_for

_BACKWARD = 2 / 3  # of a step: the paper lets exchanges overlap with the backward pass
_PAPER = {
    "data-parallel bf16": ("222", Way(bits=16, every_steps=1, overlap_steps=_BACKWARD)),
    "DiLoCo, H = 100": ("23.3", Way(bits=16, every_steps=100, overlap_steps=_BACKWARD)),
    "streaming, overlapped, 4 bits": (
        "2.0",
        Way(bits=4, every_steps=100, overlap_steps=1 + _BACKWARD, fragments=8),
    ),
}
_L40S = {  # H, then Gbit/s and busy shares
    128: {0.05: 0.116, 0.2: 0.36, 1.0: 0.715, 5.0: 0.87},
    32: {0.05: 0.024, 0.2: 0.10, 1.0: 0.36, 5.0: 0.68},
}
_L40S_SITES, _L40S_PARAMETERS = 4, 30.8e6


@dataclass(frozen=True)
class Row:
    """One published figure and ours."""

    what: str
    published: str
    predicted: str
    source: str


def rows() -> list[Row]:
    """All comparisons."""
    return [*_streaming(), *_torchft(), *_intellect(), *_covenant()]


def _streaming() -> Iterator[Row]:
    """The bandwidth for 95 % at 1 B parameters; two replicas, steps of 0.1 s, 24 layers by 3."""
    for name, (published, way) in _PAPER.items():
        found = gigabits_for(way, 0.95, parameters=1e9, sites=2, step_seconds=0.1)
        yield Row(f"1 B, {name}: Gbit/s for 95 %", published, f"{found:.3g}", "arXiv 2501.18512")


def _torchft() -> Iterator[Row]:
    """A blocking fp32 exchange; a step's time is fitted to the figure for H = 128 at 1 Gbit/s."""
    one = Way(bits=32, every_steps=128)
    waits = exchange_seconds(one, parameters=_L40S_PARAMETERS, sites=_L40S_SITES, gigabits=1.0)
    fitted = _L40S[128][1.0]
    step = waits * fitted / (1 - fitted) / 128
    for steps, shares in _L40S.items():
        for gigabits, published in shares.items():
            if (steps, gigabits) == (128, 1.0):
                continue
            busy = busy_share(
                Way(bits=32, every_steps=steps),
                parameters=_L40S_PARAMETERS,
                sites=_L40S_SITES,
                step_seconds=step,
                gigabits=gigabits,
            )
            what = f"torchft, 31 M, H = {steps}, {gigabits:g} Gbit/s: busy"
            yield Row(what, _share(published), _share(busy), "diloco-measured, 4 × L40S")


def _intellect() -> Iterator[Row]:
    """Blocking: 8.3 minutes of exchange after some 38 of training."""
    what = "INTELLECT-1, 10 B, three continents: busy"
    yield Row(what, "83 %", _share(38 / (38 + 8.3)), "arXiv 2412.01152")


def _covenant() -> Iterator[Row]:
    """The upload of 32 / 146 bits a parameter over the link that is called typical, 110 Mbit/s."""
    seconds = 72e9 * 32 / 146 / 110e6
    source = "arXiv 2603.08163"
    yield Row("Covenant-72B: seconds of exchange a round", "70", f"{seconds:.0f}", source)
    busy = 20 * 60 / (20 * 60 + seconds)
    yield Row("Covenant-72B, 20 minutes of training a round: busy", "94.5 %", _share(busy), source)


def _share(busy: float) -> str:
    return f"{100 * busy:.1f} %"


def main() -> None:
    """Print the table in Markdown."""
    print("| what | published | predicted | source |\n|---|---|---|---|")
    for row in rows():
        print(f"| {row.what} | {row.published} | {row.predicted} | {row.source} |")


if __name__ == "__main__":
    main()
