"""Which kind of GGUF a device takes, and what it may cost. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from archipel.errors import ConfigError


@dataclass(frozen=True)
class Device:
    """A kind of GGUF, and by how many percent the loss on a text may be above the checkpoint's.

    The largest comes first.
    """

    kind: str
    most_percent: float


DEVICES: Mapping[str, Device] = MappingProxyType(
    {
        "server": Device("f16", 0.5),
        "laptop": Device("q8_0", 0.5),
        "phone": Device("q4_k_m", 3.0),
    }
)


def find_device(name: str) -> Device:
    """The device of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in DEVICES:
        raise ConfigError(f"unknown device {name!r}: --for takes {', '.join(DEVICES)}")
    return DEVICES[name]


def read_percent(text: str) -> float:
    """`0.5%`, or the same without the sign, as 0.5.

    Raises:
        ConfigError: it is no percentage from 0 to 100.
    """
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = -1
    if not 0 <= value <= 100:
        raise ConfigError(f"--at-most {text!r} is not a percentage: write it as 0.5%")
    return value


def refusal(name: str, percent: float, error: float, most: float) -> str | None:
    """Why the kind of the device `name` is not taken where the loss rose by `percent`, plus or
    minus `error`; None if it is."""
    if percent <= most:
        return None
    names = list(DEVICES)
    better = reversed(names[: names.index(name)])
    choices = "".join(f"--for {other} ({DEVICES[other].kind}), " for other in better)
    return (
        f"{DEVICES[name].kind} raises the loss by {percent:.2f} % ± {error:.2f}, and {most:g} % is "
        f"allowed: nothing was written. Take {choices}or allow more with --at-most"
    )
