"""200 documents and 100 questions in French and English: is the right passage found, is it cited?

Without an embedding model. A passage is right when it is of the question's document and has the
quote that answers it. `unverified_citations` counts citations, in answers right and wrong made from
those quotes, whose words are not in the document as it lies on the disk.
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
    questions = [Question(**one) for one in json.loads((CORPUS / "questions.json").read_text())]
    return asyncio.run(_measure(questions, turns=1 if quick else 5))


async def _measure(questions: Sequence[Question], turns: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder) / "library.db")
        paths = sorted(CORPUS.glob("*/*.md"))
        began = time.perf_counter()
        for path in paths:
            await ingest(library, path, Place("bench", path.parent.name, _name(path)), _NOW)
        seconds = time.perf_counter() - began
        took: list[float] = []
        for _ in range(turns):
            found = [await _timed(library, question, took) for question in questions]
        figures = _found_shares(questions, found) | _citations(questions, found)
        figures |= _answers(library, questions, found)
    return {
        "documents": len(paths),
        "questions": len(questions),
        "documents_per_second": round(len(paths) / seconds, 1),
        "query_ms": round(1000 * median(took), 2),
    } | figures


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


async def _timed(library: Library, question: Question, took: list[float]) -> list[Passage]:
    began = time.perf_counter()
    found = await search(library, question.question, _SCOPES, 8)
    took.append(time.perf_counter() - began)
    return found


def _is_right(question: Question, passage: Passage) -> bool:
    same = passage.place.name == f"{question.document}.md"
    return same and _plain(question.quote) in _plain(passage.text)


def _plain(text: str) -> str:
    """Text without Markdown's emphasis, in one line."""
    return normal(re.sub(r"[*_`]", "", text)).text


def _found_shares(
    questions: Sequence[Question], found: Sequence[Sequence[Passage]]
) -> dict[str, float]:
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


def _citations(
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


def _answers(
    library: Library, questions: Sequence[Question], found: Sequence[Sequence[Passage]]
) -> dict[str, float]:
    """Answers without a model: given when the document is there, and not when it is not?"""
    given, holding, silent = [], [], []
    for question, passages in zip(questions, found, strict=True):
        asked = asked_of(library, question.question)
        others = [one for one in passages if one.place.name != f"{question.document}.md"]
        sentences = supporting_sentences(asked, passages[:3])
        words = [_plain(one.citation.quote) for one in sentences]
        given.append(bool(sentences))
        holding.append(any(_plain(question.quote) in one for one in words))
        silent.append(not supporting_sentences(asked, others[:3]))
    return {
        "answered_share": _share(given),
        "answer_has_quote_share": _share(holding),
        "absent_share_without_the_document": _share(silent),
    }


def _share(holds: Iterable[bool]) -> float:
    values = list(holds)
    return round(sum(values) / len(values), 3) if values else 0.0
