"""PowerPoint files whose slides are not shown in the order in which they were made."""

from archipel.documents.blocks import Limits
from archipel.documents.editing.opened import open_editable
from benchmarks.office.made import FILES


def test_slides_and_their_notes_are_numbered_as_they_are_shown() -> None:
    opened = open_editable("moved.pptx", FILES["moved-en.pptx"](), Limits())
    found = [(one.anchor.slide, one.anchor.shape == "notes", one.text) for one in opened.stretches]
    assert found == [
        (1, False, "First in the talk"),
        (1, True, "Welcome everybody warmly."),
        (2, False, "Second in the talk"),
        (3, False, "Third in the talk"),
        (3, True, "Thank the volunteers."),
    ]
