"""Wrong passwords: after a few, the name and the address must wait, longer each time.

A name waits a minute at most, so that nobody can be locked out for long by others who try.
"""

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select, text

from archipel.serve.accounts.tables import attempts

_FORGOTTEN_SECONDS = 3600.0
_ENTERED = text(
    "INSERT INTO attempts (who, failures, last) VALUES (:who, 0, :now) ON CONFLICT (who) DO NOTHING"
)


@dataclass(frozen=True)
class Patience:
    """How many failures are free, and the longest wait after more."""

    free: int
    most_seconds: float


NAME = Patience(free=5, most_seconds=60.0)
ADDRESS = Patience(free=20, most_seconds=900.0)


def wait_seconds(patience: Patience, failures: int, since_last: float) -> float:
    """How long is still to be waited: nothing at first, then 2 s, 4 s, 8 s, … between attempts."""
    if failures < patience.free or since_last >= _FORGOTTEN_SECONDS:
        return 0.0
    doublings = min(failures - patience.free + 1, 32)
    return max(0.0, min(2.0**doublings, patience.most_seconds) - since_last)


def waiting(connection: Connection, name: str, address: str, now: float) -> float:
    """The seconds that an attempt would have to wait; writes nothing, so that those who come too
    early, however many, hold nobody up."""
    both = dict(_both(name, address))
    return _longest(connection, select(attempts).where(attempts.c.who.in_(both)), both, now)


def enter(connection: Connection, name: str, address: str, now: float) -> float:
    """Count an attempt as failed before it is judged, so that many at once are no way round; or,
    if it comes too early, count nothing and give the seconds to wait."""
    connection.execute(attempts.delete().where(attempts.c.last < now - _FORGOTTEN_SECONDS))
    both = dict(_both(name, address))
    for who in sorted(both):  # so that there is a row to lock
        connection.execute(_ENTERED, {"who": who, "now": now})
    wanted = select(attempts).where(attempts.c.who.in_(both)).order_by(attempts.c.who)
    if (longest := _longest(connection, wanted.with_for_update(), both, now)) > 0:
        return longest
    more = {"failures": attempts.c.failures + 1, "last": now}
    connection.execute(attempts.update().where(attempts.c.who.in_(both)).values(more))
    return 0.0


def forgive(connection: Connection, name: str, address: str) -> None:
    """The attempt was right: the name's failures are forgotten, and the address's last one."""
    (its_name, _), (its_address, _) = _both(name, address)
    connection.execute(attempts.delete().where(attempts.c.who == its_name))
    fewer = {"failures": attempts.c.failures - 1}
    connection.execute(attempts.update().where(attempts.c.who == its_address).values(fewer))


def _longest(
    connection: Connection, wanted: Select[Any], both: Mapping[str, Patience], now: float
) -> float:
    known = connection.execute(wanted)
    waits = (wait_seconds(both[row.who], row.failures, now - row.last) for row in known)
    return max(waits, default=0.0)


def _both(name: str, address: str) -> Iterator[tuple[str, Patience]]:
    yield _digest("name", name), NAME
    yield _digest("address", _network(address)), ADDRESS


def _network(address: str) -> str:
    """Of IPv6, the 64 bits that one subscriber has for themselves."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))


def _digest(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind} {text}".encode(errors="surrogatepass")).hexdigest()
