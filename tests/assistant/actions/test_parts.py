"""A long text in parts: nothing is lost, code is kept, ends of paragraphs are found."""

import random

from archipel.assistant.actions.parts import cut, pieces


def joined(text: str, most: int) -> str:
    return "".join(part.before + part.text + part.after for part in cut(text, most))


def test_short_paragraphs_stay_together_and_long_texts_are_cut_between_them() -> None:
    text = "\n\n".join(f"Paragraph {number}." for number in range(6))
    assert [part.text for part in cut(text, 1000)] == [text]
    parts = [part.text for part in cut(text, 30)]
    assert parts == [f"Paragraph {n}.\n\nParagraph {n + 1}." for n in (0, 2, 4)]


def test_a_long_paragraph_is_cut_at_sentences_and_a_long_sentence_at_words() -> None:
    assert [part.text for part in cut("One two. Three four! Five?", 14)] == [
        "One two.",
        "Three four!",
        "Five?",
    ]
    assert [part.text for part in cut("one two three four", 9)] == ["one two", "three", "four"]


def test_code_blocks_are_kept_whole_and_apart() -> None:
    text = "Look:\n\n```python\nprint('hi')\n\nprint('ho')\n```\n\nThen this."
    assert [(part.text, part.kept) for part in cut(text, 20)] == [
        ("Look:", False),
        ("```python\nprint('hi')\n\nprint('ho')\n```", True),
        ("Then this.", False),
    ]
    assert cut("~~~\nnever closed", 5)[0].kept


def test_any_text_comes_together_again_in_parts_that_fit() -> None:
    words = ["a", "bb ", "\n\n", ". ", "é" * 30, "日" * 9, "。", "\n", "```\nx\n```\n", " ", "~~~"]
    for seed in range(300):
        chance = random.Random(seed)
        text = "".join(chance.choices(words, k=chance.randint(0, 120)))
        most = chance.randint(20, 200)
        assert joined(text, most) == text
        assert "".join(pieces(text, most)) == text
        assert all(len(piece.encode()) <= most for piece in pieces(text, most))
        assert all(len(part.text.encode()) <= most for part in cut(text, most) if not part.kept)
