"""The model card."""

import yaml

from archipel.models.card import RunFacts, model_card
from archipel.models.purpose import Purpose, purpose_in


def test_a_card_has_front_matter_and_says_what_was_not_measured() -> None:
    facts = RunFacts(
        name='a "run": of three',
        size="nano",
        purpose=Purpose(),
        parameters=4_196_608,
        tokens=1_000_000,
        sites=3,
        rounds=40,
        held_out_loss=None,
        corpus_digest="ab" * 32,
        date="2026-11-23",
    )
    card = model_card(facts)

    front = yaml.safe_load(card.split("---")[1])
    assert front["model_name"] == 'a "run": of three'
    assert "nano, 4,196,608 parameters" in card
    assert "not measured" in card
    assert "| Held-out loss | 3.2500 nats per token |" in model_card(
        {**facts, "held_out_loss": 3.25}
    )
    translator = model_card({**facts, "purpose": Purpose(("translate",), ("en", "fr"))})
    assert purpose_in(translator) == Purpose(("translate",), ("en", "fr"))
    assert "made for one thing: translate." in translator
