"""Words, their forms, and what they are in the other language."""

import pytest

from archipel.documents.dictionary import telling, translations
from archipel.documents.thesaurus import related_terms
from archipel.documents.words import folded_words, stem


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("en", "buy buys bought buying"),
        ("en", "steal stolen"),
        ("fr", "recevoir reçue reçoivent"),
        ("fr", "vendre vendus vendent"),
        ("fr", "oeil yeux œil"),
    ],
)
def test_the_forms_of_a_word_have_one_stem(language: str, forms: str) -> None:
    assert len({stem(language, word) for word in folded_words(forms)}) == 1


def test_a_form_that_is_another_word_keeps_its_stem() -> None:
    assert stem("en", "left") != stem("en", "leave")
    assert stem("fr", "lit") != stem("fr", "lire")


def test_thousands_are_one_word_however_they_are_written() -> None:
    for written in ("1500 francs", "1,500 francs", "1 500 francs", "1\u202f500 francs"):
        assert folded_words(written) == ["1500", "francs"]
    assert folded_words("in 2019 200 people, 1,5 and 12 300") == (
        ["in", "2019", "200", "people", "1", "5", "and", "12300"]
    )


def test_the_dictionary_goes_both_ways() -> None:
    thief, voleur = stem("en", "thief"), stem("fr", "voleur")
    assert translations(thief)[voleur] == translations(voleur)[thief] > 0.3
    assert translations("enowhereatall") == {}


def test_what_people_seldom_say_tells_more() -> None:
    often, seldom = telling(stem("fr", "temps")), telling(stem("fr", "chaudière"))
    assert 0 < often < seldom <= telling("fnullepart") == 1.0


def test_related_terms_have_their_language() -> None:
    related = related_terms(stem("fr", "loyer"))
    assert related[stem("en", "rent")] == "en"
    assert related[stem("fr", "bail")] == "fr"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_what_ends_in_a_digit_is_its_own_stem(language: str) -> None:
    assert stem(language, "dossier41468")[1:] == "dossier41468"
