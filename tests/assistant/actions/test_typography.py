"""French typography of text that grows: what is put right, what is left alone."""

import random

import pytest

from archipel.assistant.actions.typography import French

N = "\u202f"


def french(text: str) -> str:
    flow = French()
    return flow.add(text) + flow.rest()


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("Bonjour !", f"Bonjour{N}!"),
        ("Vraiment?! Oui: non; si", f"Vraiment{N}?! Oui{N}: non{N}; si"),
        ("Il dit « oui » et «non».", f"Il dit «{N}oui{N}» et «{N}non{N}»."),
        ("**Note**: (ah !) {nom} :", f"**Note**{N}: (ah{N}!) {{nom}}{N}:"),
        ("Le prix est de 20 € ; bien.", f"Le prix est de 20 €{N}; bien."),
        ("`f()` : un essai", f"`f()`{N}: un essai"),
    ],
)
def test_spaces_that_french_wants(written: str, right: str) -> None:
    assert french(written) == right
    assert french(right) == right


@pytest.mark.parametrize(
    "text",
    [
        "https://exemple.fr/?a=1;b:2 et `a ? b : c`",
        "à 10:30, 1 000 000 et 1,5",
        f"déjà{N}! et là\u00a0: «\u00a0oui\u00a0»",
        "```js\nx ? y : z !\n```",
        "![alt](image.png) et [ref]: adresse",
        "caf&eacute; et {a ? b : c} et %s",
        '<b title="oui ! non">gras</b>',
        "| a | b |\n|:---|:---:|",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert french(text) == text


def test_pieces_of_any_size_give_the_same() -> None:
    text = (
        "Bonjour! «Oui» : `a ! b` <i>x ? y</i> {p : q} https://a.fr/?b\n"
        "```py\nif x : y !\n```\nFin ! `pas fermé : 1\n\nVoilà ; {non !"
    )
    whole = french(text)
    for seed in range(200):
        chance, flow, got, at = random.Random(seed), French(), "", 0
        while at < len(text):
            step = chance.randint(1, 7)
            got += flow.add(text[at : at + step])
            at += step
        assert got + flow.rest() == whole


def test_changes_are_counted_and_right_text_has_none() -> None:
    flow = French()
    right = flow.add("Ah ! Oh ? «oui»\n") + flow.rest()
    assert flow.changes == 4
    again = French()
    again.add(right)
    again.rest()
    assert again.changes == 0
