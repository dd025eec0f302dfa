"""What a service tells of its models, and what an answer costs by it."""

from typing import Any

import pytest

from archipel.assistant.offers import Offer, Price, place_of, read_offer, sums

OURS: dict[str, Any] = {
    "id": "chat",
    "context_length": 8000,
    "place": "supplier",
    "supplier": "far",
    "price": {"prompt": 1.0, "completion": 2.0, "currency": "EUR"},
    "abilities": ["chat"],
    "tasks": ["translate"],
    "languages": ["fr", "en"],
    "providers": [
        {
            "name": "far",
            "place": "supplier",
            "price": {"prompt": 1.0, "completion": 2.0, "currency": "EUR"},
        },
        {
            "name": "small",
            "place": "machine",
            "price": {"prompt": 0, "completion": 0, "currency": "EUR"},
        },
    ],
}
TOKENS = {"prompt_tokens": 1000, "completion_tokens": 500}


def test_our_service_tells_all() -> None:
    offer = read_offer(OURS, is_here=True)
    assert (offer.context, offer.place, offer.supplier) == (8000, "supplier", "far")
    assert offer.price == Price(1.0, 2.0, "EUR")
    assert offer.places == {"far": "supplier", "small": "machine"}
    assert offer.abilities == ["chat"]
    assert (offer.tasks, offer.languages) == (["translate"], ["fr", "en"])


@pytest.mark.parametrize(
    "told",
    [
        {"id": "m"},
        {"id": "m", "place": "moon", "price": "cheap", "context_length": "long", "providers": 3},
        {"id": "m", "tasks": "translate", "languages": {"fr": 1}},
        {"id": "m", "price": {"prompt": "0.1", "completion": 1}, "providers": [1, {"name": "a"}]},
    ],
)
def test_what_another_service_does_not_tell_is_unknown(told: dict[str, Any]) -> None:
    offer = read_offer(told, is_here=True)
    assert (offer.context, offer.place, offer.supplier, offer.price) == (None, None, None, None)
    assert (offer.abilities, offer.tasks, offer.languages) == (None, None, None)
    assert sums(TOKENS, offer) == {}


def test_other_services_names_for_the_context_are_understood() -> None:
    assert read_offer({"id": "m", "max_model_len": 4096}, is_here=True).context == 4096
    assert read_offer({"id": "m", "max_context_length": 512}, is_here=True).context == 512


def test_the_services_machine_is_the_persons_only_where_both_are_here() -> None:
    told = {"id": "m", "place": "machine"}
    assert read_offer(told, is_here=True).place == "machine"
    assert read_offer(told, is_here=False).place == "house"


def test_an_answer_is_where_its_provider_is_and_costs_what_that_takes() -> None:
    offer = read_offer(OURS, is_here=True)
    near, far = {**TOKENS, "provider": "small"}, {**TOKENS, "provider": "far"}
    assert place_of(near, offer) == {"place": "machine"}
    assert place_of({}, offer) == {"place": "supplier"}  # the furthest that it may be
    assert sums(near, offer)["cost"] == {"amount": 0.0, "currency": "EUR"}
    assert sums(far, offer) == {
        "place": "supplier",
        "cost": {"amount": 0.002, "currency": "EUR"},
        "context_left": 6500,
    }


def test_what_is_left_is_never_less_than_nothing_and_not_said_of_actions() -> None:
    offer = Offer("m", context=1000)
    assert sums(TOKENS, offer) == {"context_left": 0}
    assert sums({**TOKENS, "action": {"name": "translate"}}, offer) == {}
    assert sums({"provider": "x"}, offer) == {}
