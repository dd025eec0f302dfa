"""A citation opens at its words: among its neighbours, and on the picture of a PDF's page."""

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from archipel.documents.citations import Citation, check_answer
from archipel.documents.ingest import ingest
from archipel.documents.library import Library, Place, Scope
from archipel.documents.pages import PlaceOnPage
from archipel.documents.reading import draw_page
from archipel.documents.search import search
from archipel.documents.viewing import open_citation, place_on_page
from archipel.errors import ConfigError, DocumentCorrupt
from tests.documents.made import make_pdf

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ADA = [Scope("ada")]


def cited(library: Library, path: Path, words: str) -> Citation:
    """Words of a document that was added, cited by an answer."""
    asyncio.run(ingest(library, path, Place("ada", "work", path.name), NOW))
    passages = asyncio.run(search(library, words, ADA))
    (citation,) = check_answer(f'"{words}" [1]', passages).citations
    return citation


def test_a_citation_opens_among_its_neighbours(tmp_path: Path) -> None:
    library = Library(tmp_path / "library.db")
    path = tmp_path / "rules.md"
    path.write_text("\n\n".join(f"Rule number {n} is strict." for n in range(20)))
    citation = cited(library, path, "number 7 is")
    document = citation.passage.document
    shown = open_citation(library, ADA, document, citation.spans, neighbours=2)
    assert [one.place for one in shown] == [5, 6, 7, 8, 9]
    assert [one.block.anchor.lines for one in shown][2] == (15, 15)
    marked = [[one.block.text[slice(*mark)] for mark in one.marks] for one in shown]
    assert marked == [[], [], ["number 7 is"], [], []]
    assert open_citation(library, [Scope("bob")], document, citation.spans) == []
    assert place_on_page(citation.spans[0]) is None


def test_a_citation_in_a_pdf_is_marked_on_its_page(tmp_path: Path) -> None:
    """The boxes hold all the ink of the words, and none of the white around them is missing ink."""
    path = make_pdf(
        tmp_path / "leave.pdf",
        [
            [("Nothing here", 12)],
            [("The leave of all staff begins on the", 14), ("first of May, in the morning.", 14)],
        ],
    )
    citation = cited(Library(tmp_path / "library.db"), path, "begins on the first of May")
    place = place_on_page(citation.spans[0])
    assert place is not None
    assert place.page == 2
    page = asyncio.run(draw_page(path, path.name, place, 1190))
    picture = Image.open(io.BytesIO(page.png)).convert("L")
    assert picture.size == (page.width, page.height) == (1190, 1684)
    first, second = page.boxes
    assert first[1] < first[3] < second[1] + 8
    for left, top, right, bottom in page.boxes:
        inside = picture.crop((int(left), int(top), int(right), int(bottom)))
        assert inside.getextrema()[0] < 100
    words_before = picture.crop((0, int(first[1]), int(first[0]) - 4, int(first[3])))
    assert words_before.getextrema()[0] < 100  # "The leave of all staff" is not in the box
    assert first[0] > 2 * 72 + 100
    assert second[0] == pytest.approx(2 * 72, abs=6)


def test_a_page_has_few_pixels_whatever_is_asked(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", [[("Words", 12)]])
    page = asyncio.run(draw_page(path, path.name, PlaceOnPage(1, 1, 0, 5), 100_000))
    assert page.width * page.height <= 4_010_000
    for place, width in ((PlaceOnPage(2, 1, 0, 5), 800), (PlaceOnPage(1, 1, 0, 5), 0)):
        with pytest.raises(ConfigError, match="take one of its 1 pages"):
            asyncio.run(draw_page(path, path.name, place, width))
    assert asyncio.run(draw_page(path, path.name, PlaceOnPage(1, 9, 0, 5), 80)).boxes == ()


def test_a_page_of_what_is_no_pdf(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("Words")
    with pytest.raises(DocumentCorrupt):
        asyncio.run(draw_page(path, path.name, PlaceOnPage(1, 1, 0, 5), 800))
