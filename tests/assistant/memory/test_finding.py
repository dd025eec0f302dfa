"""What is believed of a model that is asked for a fact, and what is never kept."""

import json

import pytest

from archipel.assistant.memory.finding import Fact, believed, is_worth_asking
from archipel.assistant.memory.secrecy import is_secret

SAID = "Hello! I work as a nurse in\nNantes, at night. Where can I eat at 6 in the morning?"
SENTENCE = "I work as a nurse in Nantes, at night."


def form(fact: object, sentence: object, **more: object) -> str:
    return json.dumps({"fact": fact, "sentence": sentence, **more})


@pytest.mark.parametrize(
    "answer",
    [
        form("Works as a nurse in Nantes", SENTENCE),
        f"```json\n{form('Works as a nurse in Nantes', SENTENCE)}\n```",
        form("  Works as a nurse\nin Nantes ", "I work as a nurse in\nNantes, at night."),
    ],
)
def test_a_fact_counts_with_the_sentence_that_says_it(answer: str) -> None:
    assert believed(answer, SAID) == Fact("Works as a nurse in Nantes", SENTENCE)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "The person is a nurse.",
        "[]",
        '"nurse"',
        form(None, None),
        form("Works as a nurse", None),
        form("", SENTENCE),
        form("Works as a nurse in Nantes", "I am a nurse in Nantes."),  # not what was written
        form("Works as a nurse in Nantes", "I WORK as a nurse in Nantes, at night."),
        form("Eats early", "Where can I eat at 6 in the morning?"),  # a question
        form("Has three children", SENTENCE),  # of something else
        form("Works as a nurse", "nurse"),  # no sentence
        form("Works as a nurse" + "!" * 200, SENTENCE),
        form("Works as a nurse in Nantes", SENTENCE, sure=True),
        form(["Works as a nurse"], SENTENCE),
        "Sure! " + form("Works as a nurse in Nantes", SENTENCE),
        "[" * 100_000,
    ],
)
def test_what_is_not_in_the_form_or_not_in_the_message_is_nothing(answer: str) -> None:
    assert believed(answer, SAID) is None


@pytest.mark.parametrize(
    "secret",
    [
        "My password is tulip",
        "Mon mot de passe est tulipe",
        "my API key is in the drawer",
        "le code PIN est 1234",
        "I use sk-proj-Zk39dkfLmQpe82hd",
        "key arch-4f6TgsLkq9wpMe3nVb",
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
        "I pay with 4111 1111 1111 1111",
        "my card 378282246310005",
        "FR76 3000 6000 0112 3456 7890 189",
        "2 84 05 75 120 005 42",  # a French social security number
        "https://ana:tulip@example.com",
        "token-like 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    ],
)
def test_secrets_are_never_kept(secret: str) -> None:
    assert is_secret(secret)
    said = f"I live in Lyon. Remember: {secret}"
    assert believed(form(f"Lives in Lyon, {secret}", f"Remember: {secret}"), said) is None


@pytest.mark.parametrize(
    "text",
    [
        "I was born in 1984 in Lyon",
        "Call me at noon, on 06 12 34 56 78",
        "J’habite 12 rue de la République, 69001 Lyon",
        "I read about internationalisation",
        "We have 12 000 000 inhabitants",
    ],
)
def test_what_is_no_secret_may_be_kept(text: str) -> None:
    assert not is_secret(text)


def test_only_what_can_say_something_is_looked_into() -> None:
    assert is_worth_asking("J’habite à Lyon")
    assert not is_worth_asking("Thanks!")
    assert not is_worth_asking("word " * 1000)
