"""From a model's answer to the one that is kept: its quotes held against the passages. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archipel.assistant.library.documents import Document
from archipel.documents.citations import Citation, check_answer
from archipel.documents.passages import Passage
from archipel.documents.support import Supported

_NEAREST = 3
_QUOTE_CHARACTERS = 2_000  # as the page shows it; the place has the rest
Known = Mapping[tuple[str, str], Document]  # by collection and name, as the library has them


@dataclass(frozen=True)
class Sources:
    """What an answer was given: `passages` in the order of their numbers, the `known` documents
    that they are of, and the `nearest` sentences for an answer that quotes none."""

    passages: Sequence[Passage]
    known: Known
    nearest: Sequence[Supported] = ()


def of_known(passages: Sequence[Passage], known: Known) -> list[Passage]:
    """Those of documents that are there."""
    return [one for one in passages if (one.place.collection, one.place.name) in known]


def checked(answer: str, sources: Sources) -> tuple[str, dict[str, Any]]:
    """The text to keep and its facts: `citations` by number; `marks`: where [n] stands for one, as
    start, end (in code points) and number; `unverified`: quotes that no passage has; `absent`: it
    says that the documents don't have it; `nearest` where it quotes nothing."""
    found = check_answer(answer, sources.passages)
    cited = [_shown(one, sources.known) for one in found.citations]
    facts: dict[str, Any] = {
        "citations": [{"mark": number, **one} for number, one in enumerate(cited, 1)],
        "marks": [[mark.start, mark.end, mark.number] for mark in found.marks],
        "unverified": len(found.unverified),
        "absent": found.absent,
    }
    if not cited and not found.absent:
        near = [_shown(one.citation, sources.known) for one in sources.nearest[:_NEAREST]]
        facts["nearest"] = near
    return found.text, facts


def _shown(citation: Citation, known: Known) -> dict[str, Any]:
    """A citation as facts have it: `block`, `start`, `end` and `anchor` of its beginning, all of it
    in `spans` (block, start, end)."""
    place, first = citation.passage.place, citation.spans[0]
    document = known[place.collection, place.name]
    return {
        "document": document.id,
        "digest": document.digest,
        "name": document.name,
        "anchor": first.anchor.to_json(),
        "block": first.block,
        "start": first.start,
        "end": first.end,
        "quote": citation.quote[:_QUOTE_CHARACTERS],
        "spans": [[span.block, span.start, span.end] for span in citation.spans],
    }
