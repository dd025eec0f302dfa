"""The model that finds by meaning, where the service has one that keeps documents in the house."""

from functools import partial

from archipel.assistant.offers import Offers
from archipel.chat import ChatService
from archipel.documents.embedding import Embedder


class Meaning:
    """Over a service and what it offers. A supplier's model is not taken: whole documents would
    leave the house, and nobody was asked."""

    def __init__(self, service: ChatService, offers: Offers) -> None:
        self._service = service
        self._offers = offers

    async def embedder(self) -> Embedder | None:
        """The first model that is said to embed, and not at a supplier; None if there is none."""
        for offer in await self._offers.recent():
            if "embeddings" in (offer.abilities or ()) and offer.place in ("machine", "house"):
                return Embedder(offer.name, partial(self._service.embed, offer.name))
        return None
