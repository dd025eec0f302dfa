"""What a model may write and no Office file can hold."""

import pytest

from archipel.documents.blocks import Limits
from archipel.documents.editing.opened import open_editable
from archipel.documents.editing.stretches import Change
from benchmarks.office.made import FILES


@pytest.mark.parametrize("name", ["letter-en.docx", "links-en.pptx", "budget-en.xlsx"])
def test_characters_that_xml_can_not_hold_are_left_out(name: str) -> None:
    opened = open_editable(name, FILES[name](), Limits())
    change = Change("Bad\x00 \x0band\ufffe \ud800good \U0001f600")
    after = opened.changed({0: change}, None)
    assert open_editable(name, after, Limits()).stretches[0].text == "Bad and good \U0001f600"
