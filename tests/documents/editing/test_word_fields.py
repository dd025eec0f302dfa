"""Word files whose text has fields, controls and earlier changes in it."""

from io import BytesIO

import docx
import pytest

from archipel.documents.blocks import Limits
from archipel.documents.editing.opened import open_editable
from archipel.documents.editing.stretches import OBJECT, Author, Change, Editable
from benchmarks.office.packages import entries
from benchmarks.office.tracked import refused
from benchmarks.office.word_xml import (
    CHOICE,
    END,
    TITLE_BOUND,
    add,
    begin,
    control,
    elements,
    field,
    field_in_a_run,
    inserted,
    link_to,
    paragraph,
    restyled,
    run,
)

AUTHOR = Author("Archipel", "2026-01-02T10:00:00Z")


def _document(*blocks: str) -> bytes:
    document = docx.Document()
    for element in elements("".join(blocks)):
        document.element.body.sectPr.addprevious(element)
    written = BytesIO()
    document.save(written)
    return written.getvalue()


def _opened(data: bytes) -> Editable:
    return open_editable("a.docx", data, Limits())


def _texts(data: bytes) -> list[str]:
    return [stretch.text for stretch in _opened(data).stretches]


def test_a_field_in_one_run_with_words_around_it_leaves_these_to_be_changed() -> None:
    data = _document(paragraph(field_in_a_run("See page ", "PAGE", "7", " below")))
    opened = _opened(data)
    assert [one.text for one in opened.stretches] == [f"See page {OBJECT} below"]
    after = opened.changed({0: Change(f"Look at page {OBJECT} below")}, AUTHOR)
    assert _texts(refused(after, AUTHOR.name)) == [f"See page {OBJECT} below"]
    (field_run,) = [
        one
        for one in docx.Document(BytesIO(after)).element.body.iter("{*}r")
        if one.find("{*}fldChar") is not None
    ]
    shown = [child.tag.partition("}")[2] for child in field_run]
    assert shown == ["fldChar", "instrText", "fldChar", "t", "fldChar"]


def test_a_link_in_a_field_is_of_the_field() -> None:
    shown = link_to("there", run("figure 1"))
    data = _document(paragraph(run("As in "), field("REF there \\h", shown), run(" on the left.")))
    assert _texts(data) == [f"As in {OBJECT} on the left."]


def test_words_before_a_field_that_ends_in_a_later_paragraph_can_be_changed() -> None:
    data = _document(
        paragraph(run("Contents"), begin("TOC"), run("One\t1")), paragraph(run("Two\t2"), END)
    )
    assert _texts(data) == ["Contents"]


def test_a_field_that_ends_among_tracked_changes_ends_there() -> None:
    data = _document(
        paragraph(begin("TOC"), run("One\t1")),
        paragraph(inserted("Two", 5), run("\t2"), END),
        paragraph(run("The text after it.")),
    )
    assert _texts(data) == ["The text after it."]


def test_a_paragraph_with_a_tracked_format_is_left() -> None:
    opened = _opened(_document(paragraph(run("The "), restyled("bold", 5), run(" one."))))
    assert not opened.stretches
    assert [one.reason for one in opened.left] == ["tracked"]


@pytest.mark.parametrize("kind", [TITLE_BOUND, CHOICE])
@pytest.mark.parametrize("inside", [True, False])
def test_a_control_that_is_filled_from_elsewhere_is_left(kind: str, *, inside: bool) -> None:
    if inside:
        data = _document(paragraph(run("I work "), control(run("Full time"), 1, kind)))
    else:
        data = _document(control(paragraph(run("Full time")), 1, kind), paragraph(run("I work ")))
    opened = _opened(data)
    assert [one.text.strip(OBJECT) for one in opened.stretches] == ["I work "]
    assert [one.reason for one in opened.left] == ["filled"]


def test_runs_keep_their_attributes() -> None:
    typed = '<w:r w:rsidR="00A41B2C"><w:t>First line</w:t><w:br/><w:t>second line</w:t></w:r>'
    opened = _opened(_document(paragraph(typed)))
    changes = {0: Change("First words"), 1: Change("second words")}
    after = entries(opened.changed(changes, None))["word/document.xml"].decode()
    assert after.count("<w:r ") == after.count('<w:r w:rsidR="00A41B2C"') == 5
    assert "<w:r>" not in after


def test_comments_are_named_as_left() -> None:
    document = docx.Document()
    document.add_comment(add(document.add_paragraph(), run("Words")).runs, "Really?", author="Anne")
    written = BytesIO()
    document.save(written)
    assert [one.reason for one in _opened(written.getvalue()).left] == ["comments"]
