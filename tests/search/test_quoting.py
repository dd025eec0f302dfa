"""What is shown of a passage is a sentence of it, whole if it is not very long."""

from archipel.documents.blocks import Anchor
from archipel.documents.concepts import Concept, Rated
from archipel.documents.library import Place
from archipel.documents.passages import Part, Passage
from archipel.search.finding import queries
from archipel.search.quoting import best_quote

LAMP = [Rated(Concept({"elamp": 1.0}, {}, 1.0), 2.0)]


def passage(*texts: str) -> Passage:
    parts = tuple(Part(n, 0, text, Anchor(paragraph=n + 1), ()) for n, text in enumerate(texts))
    return Passage(1, 1, Place("", "/", "a.txt"), "A", parts)


def test_the_sentence_that_has_what_is_asked() -> None:
    sentence = "The lamp of the lighthouse burns forty litres of paraffin in each and every night."
    following = "It is cleaned in the morning, before the keepers have their breakfast together."
    quote = best_quote(passage("Bread is baked here.", f"{sentence} {following}"), LAMP)
    assert quote.citation.quote == f"{sentence} {following}"
    assert quote.citation.spans[0].anchor.paragraph == 2
    assert [quote.citation.quote[start:end] for start, end in quote.marks] == ["lamp"]


def test_what_is_long_is_cut_about_the_word() -> None:
    quote = best_quote(passage("sea " * 400 + "lamp " + "sky " * 400), LAMP)
    assert len(quote.citation.quote) <= 400
    assert quote.citation.quote.startswith("sea ")
    assert [quote.citation.quote[start:end] for start, end in quote.marks] == ["lamp"]
    [span] = quote.citation.spans
    assert span.end - span.start == len(quote.citation.quote)


def test_what_has_no_blanks_is_cut_too() -> None:
    assert len(best_quote(passage("x" * 5_000), LAMP).citation.quote) <= 400


def test_queries_leave_out_the_common_words_first() -> None:
    assert list(queries(["r"])) == ["r"]
    assert list(queries(["r", "c"])) == ["r AND c", "r", "c"]
    assert list(queries(["r", "m", "c"])) == [
        "r AND m AND c",
        "(m AND c) OR (r AND c) OR (r AND m)",
        *("r", "m", "c"),
    ]
