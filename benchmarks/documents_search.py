"""200 documents and 200 questions in French and English: is the right passage found, is it cited?

Half of the questions were there when the search was built, and it is fitted to them
(`questions.json`); half were written afterwards and nothing is fitted to them (`held_out.json`: the
figures that begin with `held_out`). Without an embedding model. A passage is right when it is of
the question's document and has the quote that answers it. `unverified_citations` counts citations,
in answers right and wrong made from those quotes, whose words are not in the document as it lies on
the disk.
"""

import asyncio
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from archipel.config import usable_cores
from archipel.documents.citations import Citation, check_answer
from archipel.documents.ingest import ingest
from archipel.documents.library import Library, Place, Scope
from archipel.documents.normal import normal
from archipel.documents.passages import Passage
from archipel.documents.search import search
from archipel.documents.support import asked_of, supporting_sentences

CORPUS = Path(__file__).parents[1] / "tests/documents/corpus"
_SCOPES = [Scope("bench")]
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Question:
    """A question, the document that answers it (as "en/leave-policy"), and the words that do."""

    question: str
    language: str
    document: str
    quote: str

    @property
    def across(self) -> bool:
        """Whether the question is in another language than the document."""
        return not self.document.startswith(f"{self.language}/")


def run(quick: bool) -> dict[str, float]:
    """Shares are of 1, times medians in milliseconds of one question at a time."""
    return asyncio.run(_measure(read_questions(), turns=1 if quick else 5))


def read_questions(file: str = "questions.json") -> list[Question]:
    """The corpus' questions, those that the search is fitted to or those of another file."""
    values = json.loads((CORPUS / file).read_text())
    return [
        Question(one["question"], one["language"], one["document"], one["quote"]) for one in values
    ]


async def _measure(questions: Sequence[Question], turns: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder) / "library.db")
        paths = sorted(CORPUS.glob("*/*.md"))
        began = time.perf_counter()
        room = asyncio.Semaphore(usable_cores())
        await asyncio.gather(*(_add(library, path, room) for path in paths))
        seconds = time.perf_counter() - began
        took: list[float] = []
        for _ in range(turns):
            found = [await _timed(library, question, took) for question in questions]
        pairs = list(zip(questions, found, strict=True))
        figures = found_shares(questions, found) | cited_figures(questions, found)
        unseen = read_questions("held_out.json")
        found = [await _ask(library, question.question) for question in unseen]
        held_out = found_shares(unseen, found)
        figures |= {f"held_out_{name}": share for name, share in held_out.items()}
        near = json.loads((CORPUS / "unanswerable.json").read_text())
        beside = [(one["question"], await _ask(library, one["question"])) for one in near]
        figures |= _answer_shares(library, pairs, beside)
    return {
        "documents": len(paths),
        "questions": len(questions),
        "documents_per_second": round(len(paths) / seconds, 1),
        "query_ms": round(1000 * median(took), 2),
    } | figures


async def _add(library: Library, path: Path, room: asyncio.Semaphore) -> None:
    async with room:
        await ingest(library, path, Place("bench", path.parent.name, _name(path)), _NOW)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


async def _timed(library: Library, question: Question, took: list[float]) -> list[Passage]:
    began = time.perf_counter()
    found = await _ask(library, question.question)
    took.append(time.perf_counter() - began)
    return found


async def _ask(library: Library, question: str) -> list[Passage]:
    return await search(library, question, _SCOPES, 8)


def _is_right(question: Question, passage: Passage) -> bool:
    same = passage.place.name == f"{question.document}.md"
    return same and _plain(question.quote) in _plain(passage.text)


def _plain(text: str) -> str:
    """Text without Markdown's emphasis, in one line."""
    return normal(re.sub(r"[*_`]", "", text)).text


def found_shares(
    questions: Sequence[Question], found: Sequence[Sequence[Passage]]
) -> dict[str, float]:
    """Shares of the questions whose passage is among the first three found, by language."""
    groups: dict[str, Callable[[Question], bool]] = {
        "passage_in_top3_share": lambda _: True,
        "passage_in_top3_share_french": lambda question: question.document.startswith("fr/"),
        "passage_in_top3_share_english": lambda question: question.document.startswith("en/"),
        "passage_in_top3_share_across": lambda question: question.across,
        "passage_in_top3_share_within": lambda question: not question.across,
    }
    figures = {
        name: _share(
            any(_is_right(question, passage) for passage in passages[:3])
            for question, passages in zip(questions, found, strict=True)
            if belongs(question)
        )
        for name, belongs in groups.items()
    }
    pairs = list(zip(questions, found, strict=True))
    return figures | {
        "questions_across": sum(question.across for question in questions),
        "passage_first_share": _share(
            any(_is_right(question, passage) for passage in passages[:1])
            for question, passages in pairs
        ),
        "document_in_top3_share": _share(
            any(passage.place.name == f"{question.document}.md" for passage in passages[:3])
            for question, passages in pairs
        ),
    }


def cited_figures(
    questions: Sequence[Question], found: Sequence[Sequence[Passage]]
) -> dict[str, float]:
    """Answers that quote rightly, with a wrong number, with a word changed, with one left out."""
    sources = {_name(path): _plain(path.read_text()) for path in CORPUS.glob("*/*.md")}
    right = shown = unverified = 0
    for question, passages in zip(questions, found, strict=True):
        words = question.quote.split()
        changed = " ".join([*words[:-1], words[-1] + "s"])
        shorter = " ".join([*words[:1], *words[2:]])
        for number in (1, 2):
            for quote in (question.quote, changed, shorter):
                checked = check_answer(f"« {quote} » [{number}]", passages)
                shown += len(checked.citations)
                right += quote == question.quote and bool(checked.citations)
                unverified += sum(not _stands(one, sources) for one in checked.citations)
    return {
        "citations_shown": shown,
        "right_quotes_cited_share": round(right / (2 * len(questions)), 3),
        "unverified_citations": unverified,
    }


def _stands(citation: Citation, sources: dict[str, str]) -> bool:
    return _plain(citation.quote) in sources[citation.passage.place.name]


def _answer_shares(
    library: Library,
    found: Sequence[tuple[Question, Sequence[Passage]]],
    beside: Sequence[tuple[str, Sequence[Passage]]],
) -> dict[str, float]:
    """Answers without a model: given when the document is there, and not when it is not?

    `beside` has questions close to the documents' subjects that none of them answers.
    """
    given, holding, silent = [], [], []
    for question, passages in found:
        others = [one for one in passages if one.place.name != f"{question.document}.md"]
        sentences = _sentences(library, question.question, passages)
        given.append(bool(sentences))
        holding.append(any(_plain(question.quote) in one for one in sentences))
        silent.append(not _sentences(library, question.question, others))
    return {
        "answered_share": _share(given),
        "answer_has_quote_share": _share(holding),
        "silent_share_without_the_document": _share(silent),
        "silent_share_beside_the_subject": _share(
            not _sentences(library, question, passages) for question, passages in beside
        ),
    }


def _sentences(library: Library, question: str, passages: Sequence[Passage]) -> list[str]:
    supported = supporting_sentences(asked_of(library, question), passages[:3])
    return [_plain(one.citation.quote) for one in supported]


def _share(holds: Iterable[bool]) -> float:
    values = list(holds)
    return round(sum(values) / len(values), 3) if values else 0.0
