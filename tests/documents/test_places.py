"""Places in words."""

from archipel.documents.blocks import Anchor
from archipel.documents.places import place_in_words


def test_a_place_is_told_by_what_its_format_has() -> None:
    assert place_in_words(Anchor(page=3, paragraph=2)) == "page 3"
    assert place_in_words(Anchor(sheet="Costs", cells="A2:D2")) == "sheet Costs, A2:D2"
    assert place_in_words(Anchor(lines=(10, 14), part=("a.eml",))) == "a.eml, lines 10–14"
    assert place_in_words(Anchor()) == ""
