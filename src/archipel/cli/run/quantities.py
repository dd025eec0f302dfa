"""Quantities in few characters, for screens."""

from collections.abc import Sequence

_DECIMAL = ((1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " k"))
_BYTES = ((1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1, " B"))


def amount(count: float) -> str:
    """A count in three digits or so: 950, 12.4 k, 80 M, 2.05 B."""
    return _scaled(count, _DECIMAL)


def data(size_bytes: float) -> str:
    """A number of bytes in three digits: 12.4 MB."""
    return _scaled(size_bytes, _BYTES)


def duration(seconds: float) -> str:
    """Its two largest units: 45 s, 12 min, 3 h 5 min, 2 d 4 h."""
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86400
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes:.0f} min"
    if hours < 48:
        return f"{int(hours)} h {int(minutes) % 60} min"
    return f"{int(days)} d {int(hours) % 24} h"


def _scaled(value: float, units: Sequence[tuple[float, str]]) -> str:
    for scale, unit in units:
        if value >= scale * 0.9995:
            return f"{value / scale:.3g}{unit}"
    return f"{value:.3g}"
