"""Which of a service's models does an action on a file, where nobody chose one. Pure."""

from collections.abc import Sequence

from archipel.assistant.offers import Offer
from archipel.errors import ConfigError


def fitting(offers: Sequence[Offer], action: str, languages: Sequence[str]) -> Offer:
    """The model that is made for the action and knows these languages, the one with fewest other
    tasks; else the first that converses.

    Raises:
        ConfigError: no model does either.
    """
    made = [
        offer
        for offer in offers
        if action in (offer.tasks or ())
        and (offer.languages is None or set(languages) <= set(offer.languages))
    ]
    if made:
        return min(made, key=lambda offer: len(offer.tasks or ()))
    for offer in offers:
        if offer.tasks is None or "chat" in offer.tasks:
            return offer
    names = ", ".join(offer.name for offer in offers)
    raise ConfigError(
        f"none of the service's models is made to {action} or to converse: {names or 'it has none'}"
        ". Name one with -m."
    )
