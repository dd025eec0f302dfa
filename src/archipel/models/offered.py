"""What this machine can run: each model with its needs, and which of them to begin with. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from archipel.models.catalogue import CatalogueEntry
from archipel.models.here import PulledModel
from archipel.models.purpose import Purpose
from archipel.models.speeds import Speed

# Of a model that nobody has looked at: its file, and room for four conversations and the program.
_FILE_SHARE = 1.5
_ROOM_BYTES = 512 << 20


@dataclass(frozen=True)
class Offered:
    """A model of the catalogue, or of this machine (`is_here`); `source` is where it comes from."""

    name: str
    source: str
    size_bytes: int
    licence: str | None
    memory_bytes: int
    is_here: bool
    purpose: Purpose = field(default_factory=Purpose)
    tokens_per_second: float | None = None  # of an answer, on this machine

    @property
    def converses(self) -> bool:
        """Whether one can talk to it; a model here that says nothing of itself may be tried."""
        tasks = self.purpose.tasks
        return self.is_here if tasks is None else "chat" in tasks

    def fits(self, free_bytes: int) -> bool:
        """Whether it runs in so much memory."""
        return self.memory_bytes <= free_bytes


def offered(
    catalogue: Mapping[str, CatalogueEntry],
    here: Sequence[PulledModel],
    speed_of: Callable[[PulledModel], Speed | None],
) -> list[Offered]:
    """All that can be served: the catalogue's models, then those of this machine beside them."""
    present = {model.name: model for model in here}
    found = []
    for entry in catalogue.values():
        model = present.pop(entry.name, None)
        found.append(_in_catalogue(entry) if model is None else _on_disk(model, speed_of(model)))
    return [*found, *(_on_disk(model, speed_of(model)) for model in present.values())]


def propose(models: Iterable[Offered], free_bytes: int) -> list[Offered]:
    """Those to begin with, as long as the memory lasts: the largest to talk to, and for each task
    and its languages the largest that is made for it alone; those that are here before others."""
    useful = (one for one in models if one.converses or one.purpose.tasks)
    chosen: list[Offered] = []
    served: set[tuple[str, frozenset[str]]] = set()
    for model in sorted(useful, key=_rank):
        left = free_bytes - sum(one.memory_bytes for one in chosen)
        serves = _serves(model)
        if model.fits(left) and not serves <= served:
            chosen.append(model)
            served |= serves
    return chosen


def _rank(model: Offered) -> tuple[bool, bool, bool, int]:
    return (
        not model.converses,
        not model.is_here,
        model.purpose.tasks is None,
        -model.size_bytes,
    )


def _serves(model: Offered) -> set[tuple[str, frozenset[str]]]:
    """What nobody else is needed for beside it: one is enough to talk to."""
    if model.converses:
        return {("chat", frozenset())}
    languages = frozenset(model.purpose.languages or ())
    return {(task, languages) for task in model.purpose.tasks or ()}


def _in_catalogue(entry: CatalogueEntry) -> Offered:
    return Offered(
        name=entry.name,
        source=entry.source,
        size_bytes=entry.size_bytes,
        licence=entry.licence,
        memory_bytes=entry.memory_bytes or _guess(entry.size_bytes),
        is_here=False,
        purpose=entry.purpose,
    )


def _on_disk(model: PulledModel, speed: Speed | None) -> Offered:
    return Offered(
        name=model.name,
        source=model.source,
        size_bytes=model.bytes,
        licence=model.licence,
        memory_bytes=speed.memory_bytes if speed else _guess(model.bytes),
        is_here=True,
        purpose=model.purpose,
        tokens_per_second=speed.tokens_per_second if speed else None,
    )


def _guess(size_bytes: int) -> int:
    return int(size_bytes * _FILE_SHARE) + _ROOM_BYTES
