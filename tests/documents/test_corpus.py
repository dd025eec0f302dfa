"""Two hundred documents and two hundred questions: found, cited, and in every format the same."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archipel.documents.blocks import Anchor, Document, Limits
from archipel.documents.citations import check_answer
from archipel.documents.collector import Collector
from archipel.documents.formats.inside import read_inside
from archipel.documents.ingest import ingest
from archipel.documents.language import guess_language
from archipel.documents.library import Library, Place, Scope
from archipel.documents.search import search
from benchmarks.documents_search import CORPUS, cited_figures, found_shares, read_questions
from tests.documents.made import make_docx, make_eml, make_pdf, make_pptx, make_xlsx

NOW = datetime(2026, 11, 28, tzinfo=UTC)
SCOPES = [Scope("ada")]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """All documents of the corpus, read in this process: two hundred others would take a while."""
    library = Library(tmp_path_factory.mktemp("corpus") / "library.db")
    for path in sorted(CORPUS.glob("*/*.md")):
        out = Collector(path.name, Limits())
        read_inside(path.read_bytes(), out)
        language = guess_language("\n".join(block.text for block in out.blocks))
        assert language == path.parent.name
        place = Place("ada", language, f"{language}/{path.name}")
        library.add(place, "", Document(out.title, language, tuple(out.blocks)), NOW)
    return library


def test_the_right_passage_is_among_the_first_three(library: Library) -> None:
    questions = read_questions()
    found = [asyncio.run(search(library, one.question, SCOPES, 3)) for one in questions]
    shares = found_shares(questions, found)
    assert shares["passage_in_top3_share"] >= 0.88
    assert shares["passage_in_top3_share_across"] >= 0.9
    cited = cited_figures(questions, found)
    assert cited["unverified_citations"] == 0
    assert cited["right_quotes_cited_share"] >= 0.88  # all whose passage was found


Paragraphs = list[tuple[str, str]]
MAKERS: dict[str, Callable[[Path, Paragraphs], Path]] = {
    "docx": lambda path, text: make_docx(
        path, [("Normal" if style == "p" else "Heading 2", words) for style, words in text]
    ),
    "pdf": lambda path, text: make_pdf(
        path,
        [[line for style, words in text for line in [*wrapped(style, words), ("", 12.0)]]],
    ),
    "pptx": lambda path, text: make_pptx(path, [("Slide", words, "") for _, words in text]),
    "xlsx": lambda path, text: make_xlsx(
        path, {"Sheet": [[style, words] for style, words in text]}
    ),
    "eml": lambda path, text: make_eml(path, "Mail", "\n\n".join(words for _, words in text), []),
}


def wrapped(style: str, words: str) -> list[tuple[str, float]]:
    """A paragraph as lines for a page, in what its font can show."""
    import textwrap

    plain = words.replace("\u202f", "\u00a0")
    return [(line, 11.0 if style == "p" else 16.0) for line in textwrap.wrap(plain, 80)]


@pytest.mark.parametrize("suffix", MAKERS)
@pytest.mark.parametrize("number", [1, 50])
def test_the_same_words_are_cited_whatever_the_format(
    tmp_path: Path, suffix: str, number: int
) -> None:
    question = read_questions()[number]
    source = (CORPUS / f"{question.document}.md").read_text()
    text = [
        ("h", part.lstrip("# ")) if part.startswith("#") else ("p", part)
        for part in source.split("\n\n")
    ]
    path = MAKERS[suffix](tmp_path / f"file.{suffix}", text)
    library = Library(tmp_path / "library.db")
    asyncio.run(ingest(library, path, Place("ada", "work", path.name), NOW))
    passages = asyncio.run(search(library, question.question, SCOPES))
    checked = check_answer(f"« {question.quote} » [1]", passages)
    (citation,) = checked.citations
    assert " ".join(citation.quote.split()) == " ".join(
        question.quote.replace("\u202f", " ").split()
    )
    assert citation.spans[0].anchor != Anchor()
    block = library.blocks(SCOPES, citation.passage.document, citation.spans[0].block, 10**6)[0][1]
    span = citation.spans[0]
    assert question.quote.split()[0] in block.text[span.start : span.end]
