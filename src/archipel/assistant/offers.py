"""What a service tells of its models: where each runs, how much it reads, what it can do and costs.

Archipel's service tells all of it beside a model's name; others a part or nothing. What is not told
is None: unknown, and shown so.
"""

import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from archipel.assistant.pieces import Piece
from archipel.chat import ChatService, ServiceError

Place = Literal["machine", "house", "supplier"]
_PLACES: Mapping[str, Place] = {"machine": "machine", "house": "house", "supplier": "supplier"}
_CONTEXTS = ("context_length", "max_model_len", "max_context_length")  # Archipel's, vLLM's, others'
_GOOD_SECONDS = 60.0
_MILLION = 1_000_000
_CURRENCY = re.compile("[A-Z]{3}")


@dataclass(frozen=True)
class Price:
    """Of a million tokens."""

    prompt: float
    completion: float
    currency: str


@dataclass(frozen=True)
class Offer:
    """One model. `places` and `prices` are by the name of the provider that answers, since several
    may; `place` is the furthest of them, `price` the first's."""

    name: str
    context: int | None = None  # tokens, of question and answer together
    place: Place | None = None
    supplier: str | None = None
    price: Price | None = None
    abilities: Sequence[str] | None = None
    tasks: Sequence[str] | None = None  # that it is made for, and in which languages (codes)
    languages: Sequence[str] | None = None
    places: Mapping[str, Place | None] = field(default_factory=dict)
    prices: Mapping[str, Price | None] = field(default_factory=dict)


class Offers:
    """The models of a service, asked for at most once a minute; `clock` is monotonic, in seconds.
    `is_here`: the service and the page are on one machine, so that what runs on the service's runs
    on the person's."""

    def __init__(self, service: ChatService, clock: Callable[[], float], *, is_here: bool) -> None:
        self._service = service
        self._clock = clock
        self._is_here = is_here
        self._until = float("-inf")
        self._found: Mapping[str, Offer] = {}

    async def listed(self) -> Sequence[Offer]:
        """All of them, in the service's order, as they are now.

        Raises:
            ServiceError: the service can't be reached, refuses, or answers something else.
        """
        offers = [read_offer(one, is_here=self._is_here) for one in await self._service.models()]
        self._found = {offer.name: offer for offer in offers}
        self._until = self._clock() + _GOOD_SECONDS
        return offers

    async def recent(self) -> Sequence[Offer]:
        """All of them, as they were told within the last minute, or before if the service does not
        answer."""
        if self._clock() >= self._until:
            with contextlib.suppress(ServiceError):
                await self.listed()
        return list(self._found.values())

    async def of(self, model: str) -> Offer:
        """One of them; unknown where the service does not say."""
        await self.recent()
        return self.known(model)

    def known(self, model: str) -> Offer:
        """As `of`, by what was told last."""
        return self._found.get(model) or Offer(model)


async def told(pieces: AsyncGenerator[Piece], offers: Offers, model: str) -> AsyncGenerator[Piece]:
    """An answer's pieces and, as soon as it is known, where they come from; in the end what they
    cost and how much of the context is left.

    Raises:
        ArchipelError: the pieces do.
    """
    facts: dict[str, Any] = {}
    begun = False
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            facts.update(piece.facts)
            yield piece
            if not begun and piece.text:
                begun = True
                yield Piece(facts=place_of(facts, offers.known(model)))
    yield Piece(facts=sums(facts, await offers.of(model)))


def read_offer(told: Mapping[str, Any], *, is_here: bool) -> Offer:
    """What an entry of `GET /v1/models` says. Pure."""
    providers = told.get("providers")
    entries = providers if isinstance(providers, list) else []
    named = {one["name"]: one for one in entries if isinstance(one, Mapping) and "name" in one}
    supplier = told.get("supplier")
    return Offer(
        str(told["id"]),
        context=next((its for name in _CONTEXTS if (its := _whole(told.get(name)))), None),
        place=_place(told.get("place"), is_here),
        supplier=supplier if isinstance(supplier, str) else None,
        price=_price(told.get("price")),
        abilities=_words(told.get("abilities")),
        tasks=_words(told.get("tasks")),
        languages=_words(told.get("languages")),
        places={name: _place(one.get("place"), is_here) for name, one in named.items()},
        prices={name: _price(one.get("price")) for name, one in named.items()},
    )


def shown(offer: Offer) -> dict[str, Any]:
    """What the page shows of a model. Pure."""
    price = offer.price
    return {
        "context": offer.context,
        "place": offer.place,
        "supplier": offer.supplier,
        "price": None if price is None else vars(price),
        "abilities": offer.abilities,
        "tasks": offer.tasks,
        "languages": offer.languages,
    }


def place_of(facts: Mapping[str, Any], offer: Offer) -> dict[str, Any]:
    """Where an answer came from: of `facts`, `provider` has answered. Pure."""
    place = offer.places.get(facts.get("provider", ""), offer.place)
    return {} if place is None else {"place": place}


def sums(facts: Mapping[str, Any], offer: Offer) -> dict[str, Any]:
    """Of an answer that has ended: its place, `cost` (`amount`, `currency`) and `context_left`
    (tokens), as far as they are known. Pure."""
    found = place_of(facts, offer)
    prompt, completion = facts.get("prompt_tokens"), facts.get("completion_tokens")
    if prompt is None or completion is None:
        return found
    price = offer.prices.get(facts.get("provider", ""), offer.price)
    if price is not None:
        amount = (price.prompt * prompt + price.completion * completion) / _MILLION
        found["cost"] = {"amount": round(amount, 9), "currency": price.currency}
    if offer.context is not None and "action" not in facts:  # an action asks several times
        found["context_left"] = max(0, offer.context - prompt - completion)
    return found


def _place(place: object, is_here: bool) -> Place | None:
    known = _PLACES.get(place) if isinstance(place, str) else None
    return "house" if known == "machine" and not is_here else known


def _price(price: object) -> Price | None:
    if not isinstance(price, Mapping):
        return None
    prompt, completion, currency = (
        price.get(name) for name in ("prompt", "completion", "currency")
    )
    if not isinstance(prompt, int | float) or not isinstance(completion, int | float):
        return None
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        return None
    return Price(prompt, completion, currency)


def _words(value: object) -> list[str] | None:
    return [str(one) for one in value] if isinstance(value, list) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
