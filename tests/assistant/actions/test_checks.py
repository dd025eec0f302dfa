"""What is told of an answer without a model, and what is taken off it."""

import random

import pytest

from archipel.assistant.actions import checks
from archipel.assistant.actions.cleaning import Bare
from archipel.assistant.actions.prompts import answer_language, instruction, prompt
from archipel.assistant.actions.spoken import language_of
from archipel.assistant.actions.table import ACTIONS, chosen
from archipel.errors import ConfigError


def codes(name: str, source: str, answer: str) -> dict[str, int | None]:
    notes = checks.of_kind(chosen(name, {}, len(source)), source, answer)
    return {note["code"]: note.get("count") for note in notes}


def test_a_number_written_another_way_is_the_same_number() -> None:
    source = "In 2023, 150 people paid 1,000.50 on 05/03."
    assert codes("translate", source, "En 2023, 150 personnes ont payé 1 000,50 le 5/3.") == {}


def test_what_was_lost_is_counted_and_shown() -> None:
    source = "See https://a.example/x, pay 12 and 30, {name}.\n\n- one\n- two"
    answer = "Voir le site, payez 21 et 30.\n\nun, deux"
    [numbers, urls, placeholders, formatting] = checks.of_kind(
        chosen("translate", {}, 9), source, answer
    )
    assert numbers == {"code": "numbers", "count": 1, "values": ["12", "21"]}
    assert urls["values"] == ["https://a.example/x"]
    assert placeholders["values"] == ["{name}"]
    assert formatting == {"code": "formatting"}


def test_a_summary_may_leave_out_figures_but_not_bring_new_ones() -> None:
    assert codes("summarise", "12 people, 30 boats", "30 boats") == {}
    assert codes("summarise", "12 people", "12 people, 99 % of them") == {"new_numbers": 1}


def test_an_answer_that_is_no_answer() -> None:
    told = instruction(chosen("correct", {}, 9), "en")
    assert [note["code"] for note in checks.said(" ", told, "en")] == ["empty"]
    assert [note["code"] for note in checks.said(told, told, None)] == ["prompt_repeated"]
    french = "Le chat est sur la table et il dort."
    assert list(checks.said(french, told, "en")) == [{"code": "language", "values": ["fr"]}]
    assert list(checks.said(french, told, "fr")) == []


def test_a_correction_that_is_another_text_and_a_translation_that_is_none() -> None:
    source = "the cat sat on the mat and it was verry happy there all day"
    assert codes("correct", source, source.replace("verry", "very")) == {}
    assert codes("correct", source, "a story of a dog in a house far away from home") == {
        "much_changed": None
    }
    assert codes("translate", source, source) == {"unchanged": None}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Le chat est sur la table et il dort", "fr"),
        ("The cat is on the table and it sleeps", "en"),
        ("Der Hund ist in dem Haus und schläft nicht", "de"),
        ("El perro está en la casa y no se va", "es"),
        ("```\nthe of and to in is\n```\nLe chat et la souris sont dans les murs", "fr"),
        ("Hello", None),
        ("SELECT 1", None),
    ],
)
def test_the_language_by_its_small_words(text: str, language: str | None) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("source", "said", "bare"),
    [
        ("Hi", "Here is the translation:\n\nBonjour à tous.", "Bonjour à tous."),
        ("Hi", "Bien sûr ! Voici le texte corrigé :\n\nBonjour.", "Bonjour."),
        ("Hi", "**Translation:**\n\nBonjour", "Bonjour"),
        ("Hi", "<text>\nBonjour à tous\n</text>", "Bonjour à tous"),
        ("Hi", "<text>Bonjour à tous</text>", "Bonjour à tous"),
        ("Hi", "  \nOui.\n\n", "Oui."),
        ("Hi", "Oui, bien sûr et voilà.\n\n<text>\nHi\n</text>\nNon", "Oui, bien sûr et voilà."),
        ("A </text> in SVG", "Un </text> en SVG, donc.", "Un </text> en SVG, donc."),
        ("Hi", "Voici le plan : partir.", "Voici le plan : partir."),
        ("Voici le texte :\n\nun", "Here is the text:\n\none", "Here is the text:\n\none"),
        ("Hi", "a < b et <b>c</b>", "a < b et <b>c</b>"),
    ],
)
def test_words_about_the_answer_are_taken_off(source: str, said: str, bare: str) -> None:
    for seed in range(50):
        chance, flow, got, at = random.Random(seed), Bare(source), "", 0
        while at < len(said):
            step = chance.randint(1, 9)
            got += flow.add(said[at : at + step])
            at += len(said) if flow.ended else step
        assert got + flow.rest() == bare


def test_the_instruction_is_in_the_answers_language_and_names_what_was_chosen() -> None:
    german = chosen("translate", {"target": "de", "source": "fr"}, 9)
    assert instruction(german, "de").startswith("Translate the text below from French into German.")
    french = chosen("translate", {"target": "fr"}, 9)
    assert instruction(french, "fr").startswith("Traduis en français le texte ci-dessous.")
    child = chosen("summarise", {"audience": "child", "length": "bullets", "language": "de"}, 9)
    assert "three to seven points" in instruction(child, "de")
    assert "Answer in German." in instruction(child, "de")
    assert answer_language(chosen("correct", {}, 9), "Le chat et la souris sont là") == "fr"


def test_every_choice_has_its_words_in_both_languages() -> None:
    for action in (one for one in ACTIONS.values() if one.way != "picture"):
        for field in action.fields:
            for choice in field.choices:
                told = chosen(action.name, {field.name: choice}, 9)
                for wanted in ("fr", "en", None):
                    text = prompt(told, "TEXT", wanted)
                    assert "TEXT" in text
                    assert "{" not in text.replace("{name}", "")
                    assert "  " not in text


@pytest.mark.parametrize(
    ("name", "fields", "characters", "message"),
    [
        ("sing", {}, 1, "no action 'sing'"),
        ("translate", {"target": "xx"}, 1, "target is one of"),
        ("translate", {"colour": "red"}, 1, "no field 'colour'"),
        ("correct", {}, 10**6, "200,000 characters at most"),
    ],
)
def test_what_is_refused(name: str, fields: dict[str, str], characters: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        chosen(name, fields, characters)
