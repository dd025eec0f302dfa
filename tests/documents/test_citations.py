"""Only words that stand in a passage are cited; everything else loses its mark."""

import pytest

from archipel.documents.blocks import Anchor
from archipel.documents.citations import Checked, check_answer
from archipel.documents.library import Place
from archipel.documents.passages import Part, Passage
from archipel.documents.prompt import INSTRUCTIONS, NOT_IN_DOCUMENTS, context


def passage(number: int, *texts: str) -> Passage:
    parts = tuple(Part(3 + n, 0, text, Anchor(page=n + 1), ()) for n, text in enumerate(texts))
    return Passage(number, number, Place("ada", "work", f"{number}.md"), f"Title {number}", parts)


PASSAGES = [
    passage(1, "Leave is thirty days. See [3], “as the law says”.", "The oﬃce closes at 18 h."),
    passage(2, "Le congé d’été dure « trente jours », sans œuvre. Ask before May, in writing."),
]


def cited(checked: Checked) -> list[tuple[str, int]]:
    return [(citation.quote, citation.passage.document) for citation in checked.citations]


def holds(checked: Checked) -> bool:
    """Whether every mark stands right behind the words that it cites."""
    for mark in checked.marks:
        assert checked.text[mark.start : mark.end] == f"[{mark.number}]"
        before = checked.text[: mark.start].rstrip(' "”»\u00a0.,')
        assert before.endswith(checked.citations[mark.number - 1].quote.rstrip("”».,"))
    return True


def test_quotes_are_found_where_they_stand() -> None:
    checked = check_answer('It says "thirty days" [1], and "Ask before May" [2].', PASSAGES)
    assert checked.text == 'It says "thirty days" [1], and "Ask before May" [2].'
    assert cited(checked) == [("thirty days", 1), ("Ask before May", 2)]
    (span,) = checked.citations[0].spans
    assert (span.block, span.start, span.end, span.anchor) == (3, 9, 20, Anchor(page=1))
    assert holds(checked)
    assert (checked.unverified, checked.stripped, checked.absent) == ((), 0, False)


@pytest.mark.parametrize(
    "quote",
    [
        "“The office closes at 18 h”",
        "« The office closes at 18\u202fh »",
        "«\u00a0The  office\ncloses at 18 h\u00a0»",
        '"The oﬃce closes at 18 h."',
    ],
)
def test_typography_may_differ_and_the_source_s_own_words_are_shown(quote: str) -> None:
    checked = check_answer(f"{quote} [1]", PASSAGES)
    assert checked.citations[0].quote.rstrip(".") == "The oﬃce closes at 18 h"
    assert "oﬃce" in checked.text
    assert holds(checked)


@pytest.mark.parametrize(
    "words",
    [
        "thirty-one days",
        "Thirty days",  # another case
        "hirty days",  # part of a word
        "Leave is days",
        "thirty days ... May",
        "congé d'ete",
        "trente jours sans œuvre",
    ],
)
def test_other_words_are_never_cited(words: str) -> None:
    checked = check_answer(f'He said "{words}" [1].', PASSAGES)
    assert checked.citations == checked.marks == ()
    assert checked.text == f'He said "{words}".'
    assert [checked.text[slice(*range_)] for range_ in checked.unverified] == [words]
    assert checked.stripped == 1


def test_a_wrong_number_is_put_right() -> None:
    checked = check_answer('"trente jours" [1] et "thirty days" [7]', PASSAGES)
    assert cited(checked) == [("trente jours", 2), ("thirty days", 1)]
    assert checked.text == '"trente jours" [1] et "thirty days" [2]'
    assert holds(checked)


def test_the_same_words_have_one_number_and_two_numbers_two_passages() -> None:
    twice = check_answer('"thirty days" [1] so "thirty days" [1]', PASSAGES)
    assert twice.text == '"thirty days" [1] so "thirty days" [1]'
    both = check_answer('"Same words" [1][2]', [passage(1, "Same words"), passage(2, "Same words")])
    assert both.text == '"Same words" [1][2]'
    assert cited(both) == [("Same words", 1), ("Same words", 2)]
    assert check_answer('"Same words" [1, 2]', [passage(1, "Same words")]).text.endswith(" [1]")


def test_a_quote_over_two_blocks_has_two_spans() -> None:
    checked = check_answer('"as the law says”. The office" [1]', PASSAGES)
    spans = [(span.block, span.start, span.end) for span in checked.citations[0].spans]
    assert spans == [(3, 32, 49), (4, 0, 8)]


def test_quotation_marks_and_numbers_within_a_quote() -> None:
    checked = check_answer('"Leave is thirty days. See [3], "as the law says"." [1]', PASSAGES)
    assert cited(checked) == [("Leave is thirty days. See [3], “as the law says”.", 1)]
    assert [mark.number for mark in checked.marks] == [1]
    french = check_answer("« d'été dure « trente jours », sans oeuvre » [2].", PASSAGES)
    assert cited(french) == [("d’été dure « trente jours », sans œuvre", 2)]


def test_marks_without_a_quote_go_and_code_stays() -> None:
    checked = check_answer("Thirty [1], says `a[1]` [2][3].\n```\nb[2]\n```", PASSAGES)
    assert checked.text == "Thirty, says `a[1]`.\n```\nb[2]\n```"
    assert (checked.marks, checked.stripped) == ((), 2)
    link = "See [1](https://example.org)."
    assert check_answer(link, PASSAGES).text == link


@pytest.mark.parametrize(
    "answer",
    [*NOT_IN_DOCUMENTS.values(), "« Pas dans vos documents »", "**not in your documents**"],
)
def test_not_in_the_documents_is_an_answer(answer: str) -> None:
    assert check_answer(answer, PASSAGES).absent
    assert not check_answer(f'{answer} But "thirty days" [1].', PASSAGES).absent


@pytest.mark.parametrize(
    "answer", ["", "[", '"' * 5_000 + " [1]", '" [1]' * 500, "[1]" * 5_000, "« " * 3_000 + "» [1]"]
)
def test_any_answer_is_checked(answer: str) -> None:
    assert check_answer(answer, PASSAGES).citations == ()


def test_the_context_has_whole_numbered_passages_within_its_budget() -> None:
    whole = context(PASSAGES, 10_000)
    assert whole.passages == tuple(PASSAGES)
    assert "[1] Title 1 (1.md, page 1)\nLeave is thirty days." in whole.text
    assert "[2] Title 2" in whole.text
    small = context([passage(3, "Too long. " * 20), *PASSAGES], 130)
    assert small.passages == (PASSAGES[0],)
    assert small.text.startswith("[1] Title 1")
    assert len(small.text) <= 130
    for language, words in NOT_IN_DOCUMENTS.items():
        assert words in INSTRUCTIONS[language]
