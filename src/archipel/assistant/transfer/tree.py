"""A conversation as an import brings it, and how a tree is made whole: every message below one that
is kept, none below itself, all in the order in which they came about."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archipel.assistant.history.messages import Draft
from archipel.assistant.transfer.pictured import Brought


@dataclass(frozen=True, kw_only=True)
class Node:
    """A place in the tree: `key` is what its own program calls it. Without a draft it holds no
    message that we keep, and stands for its parent."""

    key: str
    parent: str | None
    draft: Draft | None = None
    created: float | None = None
    pictures: Sequence[Brought] = ()


@dataclass(frozen=True, kw_only=True)
class Told:
    """A conversation as its file tells it. `left` counts what could not be taken, by kind."""

    source: str
    title: str
    created: float | None
    changed: float | None
    nodes: Sequence[Node]
    shown: str | None
    left: Mapping[str, int] = field(default_factory=Counter)
    folder: str | None = None
    pinned: float | None = None


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A message with its place: its parent is among those before it."""

    key: str
    parent: str | None
    draft: Draft
    created: float
    pictures: Sequence[Brought] = ()


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A conversation that can be written. Times in seconds since the epoch."""

    source: str
    title: str
    created: float
    changed: float
    messages: Sequence[Planted]
    shown: str | None  # the key of the last message of the branch that is shown
    left: Mapping[str, int]
    folder: str | None
    pinned: float | None


def grown(told: Told, now: float) -> Tree:
    """The tree of what is kept; a time that is not told is the parent's, the conversation's, or
    now. Where messages are each below the other, the first is the beginning of a tree."""
    nodes = {node.key: node for node in told.nodes}
    left = Counter(told.left)
    above = _kept_above(nodes)
    parents = {key: above[key] for key, one in nodes.items() if one.draft is not None}
    left.update(_cut_loops(parents))
    times = [one.created for one in told.nodes if one.created and one.draft]
    created = told.created or min(times, default=None) or told.changed or now
    planted = _in_order(nodes, parents, created)
    last = planted[-1].key if planted else None
    shown = told.shown if told.shown in nodes else None
    return Tree(
        source=told.source,
        title=told.title,
        created=created,
        changed=told.changed or max(times, default=created),
        messages=planted,
        shown=shown if shown in parents else above.get(shown or "") or last,
        left=+left,
        folder=told.folder,
        pinned=told.pinned,
    )


def _kept_above(nodes: Mapping[str, Node]) -> dict[str, str | None]:
    """For each node the nearest one above it that holds a message."""
    found: dict[str, str | None] = {}
    for start in nodes:
        way: list[str] = []
        at: str | None = start
        passed: set[str] = set()
        while at is not None and at not in found and at not in passed:
            way.append(at)
            passed.add(at)
            parent = nodes[at].parent
            at = parent if parent in nodes else None
        below = None if at is None else at if nodes[at].draft else found.get(at)
        for key in reversed(way):
            found[key] = below
            if nodes[key].draft is not None:
                below = key
    return found


def _cut_loops(parents: dict[str, str | None]) -> Counter[str]:
    """Let each loop begin at its first message."""
    whole: set[str] = set()
    cut: Counter[str] = Counter()
    for start in parents:
        way: dict[str, None] = {}
        at: str | None = start
        while at is not None and at not in whole:
            if at in way:
                parents[at] = None
                cut["loop"] += 1
                break
            way[at] = None
            at = parents[at]
        whole.update(way)
    return cut


def _in_order(
    nodes: Mapping[str, Node], parents: Mapping[str, str | None], created: float
) -> list[Planted]:
    """By time where it is known, else in the file's order; each after its parent."""
    times: dict[str, float] = {}
    for start in parents:
        for key in _unknown_above(start, parents, times):
            parent = parents[key]
            before = created if parent is None else times[parent]
            times[key] = nodes[key].created or before
    planted: dict[str, Planted] = {}
    for start in sorted(parents, key=times.__getitem__):
        for key in _unknown_above(start, parents, planted):
            draft = nodes[key].draft
            assert draft is not None
            planted[key] = Planted(
                key=key,
                parent=parents[key],
                draft=_marked(draft, key),
                created=times[key],
                pictures=nodes[key].pictures,
            )
    return list(planted.values())


def _unknown_above(
    start: str, parents: Mapping[str, str | None], known: Mapping[str, object]
) -> list[str]:
    """The message and those above it that are not known yet, from the top."""
    way: list[str] = []
    at: str | None = start
    while at is not None and at not in known:
        way.append(at)
        at = parents[at]
    return way[::-1]


def _marked(draft: Draft, key: str) -> Draft:
    facts: dict[str, Any] = {**draft.facts, "source": key}
    return replace(draft, facts=facts)
