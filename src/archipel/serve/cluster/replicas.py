"""Replicas, engines of one model on a cluster's nodes: which live, which is asked first. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SILENT_SECONDS = 5.0  # without a beat, which comes every second: it is gone


@dataclass(frozen=True)
class Replica:
    """One engine as its last beat told of it. `url` has no path; `streams` are those it answers
    and those that wait in it, whoever asked."""

    model: str
    id: str
    node: str
    url: str
    api_key: str
    streams: int
    beat: int  # how many there were
    leaving: bool = False  # it ends what is under way, and is asked for nothing more


@dataclass(frozen=True)
class Heard:
    """A replica and when it was heard, in seconds of the listener's clock."""

    replica: Replica
    at: float


def known(before: Mapping[str, Heard], beats: Iterable[Heard], now: float) -> dict[str, Heard]:
    """By id, what lives: heard lately, from these beats or the ones before, and not leaving.

    What hears the beats may be started again and know nothing for a while; that ends no replica.
    """
    newest = dict(before)
    for heard in beats:
        if heard.at >= newest.get(heard.replica.id, heard).at:
            newest[heard.replica.id] = heard
    return {
        id: heard
        for id, heard in newest.items()
        if now - heard.at < SILENT_SECONDS and not heard.replica.leaving
    }


def in_order(loads: Mapping[str, int], draw: bytes, *, full: int | None) -> list[str]:
    """Replicas by id, the first to be asked first; `loads` are their streams.

    With `full`, equal draws go to the same replica while it has fewer streams than that, and a
    replica that comes or goes moves only its own share; without, the least busy is first.
    """

    def place(id: str) -> tuple[int, bytes]:
        chance = hashlib.sha256(draw + id.encode()).digest()
        return (loads[id] if full is None else int(loads[id] >= full), chance)

    return sorted(loads, key=place)


def replicas_wanted(streams: Sequence[float], each: float) -> float:
    """How many replicas these streams of all of them keep busy, `each` streams a replica."""
    return sum(streams) / each


def streams_in(metrics: str) -> int:
    """The streams that an engine's metrics say it answers, and those that wait."""
    found = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line and line[0] != "#")
    names = ("llamacpp:requests_processing", "llamacpp:requests_deferred")
    return sum(int(float(found.get(name, 0))) for name in names)
