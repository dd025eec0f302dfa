"""What moving parts tells of the link, and when the next may go. Knows bytes and seconds only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """A site's link to the store as measured; 0.0 is unknown."""

    up_bytes_per_second: float = 0.0
    down_bytes_per_second: float = 0.0
    round_trip_seconds: float = 0.0
