"""A model of pictures whose pictures have one color, behind the engine's and the gateway's API."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from PIL import Image

from archipel.images.painter import Ability, Order, Sizes, Tell
from archipel.images.signing import Signer
from archipel.serve.engine import Address
from archipel.serve.engines import Engines, Lease
from archipel.serve.image_server import Endpoints, create_app
from archipel.serve.weights import Kind
from tests.serve.scripted import hosted_in_thread

KEY = "the engine's"


class PlainPainter:
    """Two steps a picture. The orders from number `endless_from` on never end by themselves."""

    sizes = Sizes((64, 64), 8, 16, 128)

    def __init__(self, endless_from: int = 1000) -> None:
        self.endless_from = endless_from
        self.abilities: frozenset[Ability] = frozenset(("generate", "edit", "inpaint", "vary"))
        self.orders: list[Order] = []
        self.stopped: queue.Queue[Order] = queue.Queue()
        self._never = threading.Event()

    def paint(self, order: Order, tell: Tell) -> list[Image.Image]:
        self.orders.append(order)
        total = 2 * order.count
        for done in range(1, total + 1):
            tell(done, total)
        while len(self.orders) > self.endless_from:
            if tell(1, total):
                self.stopped.put(order)
                return []
            self._never.wait(0.001)  # seconds a step
        size = order.width or 64, order.height or 64
        seeds = range(order.seed, order.seed + order.count)
        return [Image.new("RGB", size, (seed % 256, 0, 0)) for seed in seeds]


class _OneEngine:
    """The one running engine, for who lends engines."""

    def __init__(self, url: str, kind: Kind) -> None:
        self._address, self._kind = Address(url, KEY), kind

    async def lend(self, name: str) -> Lease:
        return Lease(self._address, self._kind, (), lambda: None)


@contextlib.contextmanager
def painting_engine(painter: PlainPainter, signer: Signer | None = None) -> Iterator[str]:
    """The engine's own server; its URL."""
    with ThreadPoolExecutor(1) as thread:
        endpoints = Endpoints("plain", cast(Any, painter), KEY, thread, signer)
        with hosted_in_thread(create_app(endpoints)) as url:
            yield url
        for work in [*endpoints.orders]:
            work.leave()


def engines_of(url: str, kind: Kind = "pictures") -> Engines:
    """As if the service had started the engine at `url`."""
    return cast(Engines, _OneEngine(url, kind))
