"""Answers by a model: only what stands in the files, or on the pages found, is cited."""

import json
from typing import Any

import pytest

from tests.assistant.actions.conftest import Ruled, ruled
from tests.search.conftest import LEAVE, Searching

__all__ = ["ruled"]

QUESTION = "How many days of paid leave does a keeper have?"


def answered(searching: Searching, ruled: Ruled, *words: str) -> dict[str, Any]:
    """The answer as JSON."""
    asked = ("--answer", "--url", ruled.url, "--json")
    return dict(json.loads(searching(*words, *asked)))


def test_an_answer_cites_the_file(filled: Searching, ruled: Ruled) -> None:
    ruled.rule = lambda _: 'They have "twenty-eight days of paid leave" [1].'
    answer = answered(filled, ruled, QUESTION)
    [citation] = answer["citations"]
    assert citation["source"] == str(filled.folder / "leave.docx")
    assert citation["quote"] == "twenty-eight days of paid leave"
    assert citation["anchor"] == {"paragraph": 2}
    [prompt] = ruled.prompts
    assert LEAVE in prompt
    assert str(filled.folder) not in prompt
    assert prompt.endswith(f"Question: {QUESTION}")


def test_the_answer_on_the_screen(filled: Searching, ruled: Ruled) -> None:
    ruled.rule = lambda _: 'They have "twenty-eight days of paid leave" [1].'
    shown = filled(QUESTION, "--answer", "--url", ruled.url)
    assert f"[1] {filled.folder / 'leave.docx'}, paragraph 2" in shown
    assert "« twenty-eight days of paid leave »" in shown


def test_a_quote_that_stands_nowhere_is_not_cited(filled: Searching, ruled: Ruled) -> None:
    ruled.rule = lambda _: 'They have "ninety days of leave" [1].'
    answer = answered(filled, ruled, QUESTION)
    assert answer["citations"] == []
    assert answer["unverified"] == 1
    shown = filled(QUESTION, "--answer", "--url", ruled.url)
    assert "The nearest passages" in shown
    assert "twenty-eight" in shown


@pytest.mark.parametrize(
    ("question", "said"),
    [("zeppelin?", "Not in your documents."), ("où est le zeppelin ?", "Pas dans vos documents.")],
)
def test_without_a_passage_no_model_is_asked(
    filled: Searching, ruled: Ruled, question: str, said: str
) -> None:
    answer = answered(filled, ruled, question)
    assert (answer["answer"], answer["absent"]) == (said, True)
    assert ruled.prompts == []


def test_a_model_that_takes_little_gets_fewer_passages(filled: Searching, ruled: Ruled) -> None:
    for number in range(6):
        text = f"Paid leave of the keepers, part {number}. " + "It is asked for in writing. " * 25
        (filled.folder / f"{number}.txt").write_text(text)
    filled("index")
    ruled.rule = lambda _: "Not in your documents."
    ruled.context = 3_000
    assert answered(filled, ruled, QUESTION)["absent"]
    assert len(ruled.prompts[-1]) <= 3_000


def test_an_answer_in_french(filled: Searching, ruled: Ruled) -> None:
    ruled.rule = lambda _: "Elle brûle « quarante litres de pétrole » [1]."
    answer = answered(filled, ruled, "Combien de litres de pétrole la lampe brûle-t-elle ?")
    assert [one["quote"] for one in answer["citations"]] == ["quarante litres de pétrole"]
    assert "Réponds en français" in ruled.prompts[0]
