"""A document as one text: put together from blocks, read as it was written, begun and not cut."""

from pathlib import Path

import pytest

from archipel.documents.blocks import Anchor, Block
from archipel.documents.whole import beginning, joined, written


def test_rows_are_lines_and_what_hangs_on_a_message_has_its_name() -> None:
    rows = [Anchor(sheet="Oil", cells="A1"), Anchor(sheet="Oil", cells="A2")]
    other = Anchor(sheet="Rope", cells="A1")
    part = Anchor(paragraph=1, part=("terms.docx",))
    anchors = [Anchor(paragraph=1), *rows, other, part, part]
    blocks = [Block(text, anchor) for text, anchor in zip("abcdef", anchors, strict=True)]
    assert joined(blocks) == "a\n\nb\nc\n\nd\n\nterms.docx\n\ne\n\nf"
    assert joined([]) == ""


def test_what_is_written_as_text_is_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes("\ufeff# Été\r\n\r\n- *un*\r\n".encode())
    assert written(path, "a.md") == "# Été\n\n- *un*\n"
    assert written(path, "a.eml") is None


@pytest.mark.parametrize(
    ("text", "most", "begins"),
    [
        ("one two", 7, "one two"),
        ("one.\n\ntwo.\n\nthree", 14, "one.\n\ntwo."),
        ("one\ntwo three", 8, "one\ntwo"),
        ("one two three", 11, "one two"),
        ("a" * 20, 10, "a" * 10),
    ],
)
def test_a_beginning_ends_with_a_paragraph_or_a_line_or_a_word(
    text: str, most: int, begins: str
) -> None:
    assert beginning(text, most) == begins
