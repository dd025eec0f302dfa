"""Pictures of the engine here: keys, quotas and prices hold for them as for those of others."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import openai
import pytest
from openai import OpenAI

from archipel.database import Database
from archipel.serve.accounts.access import AccountAccess
from archipel.serve.accounts.meter import Meter
from archipel.serve.gateway import create_app
from archipel.serve.providers import Directory, EngineProvider
from archipel.serve.settings import Settings
from tests.serve.accounts.conftest import PEPPER, add_key
from tests.serve.accounts.test_access import Clock, _billed
from tests.serve.painted import PlainPainter, engines_of, painting_engine
from tests.serve.scripted import hosted_in_thread

# Nothing here is another database's matter.
pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

_NANOS = 1_000_000_000
_SETTINGS = {
    "models": {"plain": {"path": "plain", "engine": "pictures"}},
    "routes": {"art": {"targets": [{"model": "plain", "picture_price": 0.04}]}},
}


@dataclass
class Gallery:
    url: str
    painter: PlainPainter
    accounts: Database

    def client(self, *limits: str) -> OpenAI:
        secret = add_key(self.accounts, *limits)
        return OpenAI(base_url=f"{self.url}/v1", api_key=secret, max_retries=0, timeout=20)


@pytest.fixture
def gallery(accounts: Database) -> Iterator[Gallery]:
    """`plain` costs nothing, `art` is the same at a price."""
    painter, meter = PlainPainter(), Meter(accounts, Clock())
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(painting_engine(painter))
        provider = EngineProvider(engines_of(engine), "plain")
        policies = Settings.model_validate(_SETTINGS).policies()
        access = AccountAccess(accounts, meter, PEPPER, 100, {}, Clock())
        runner = stack.enter_context(asyncio.Runner())
        writing = meter.writing()
        runner.run(writing.__aenter__())
        app = create_app(Directory(policies, {"plain": provider}), access)
        yield Gallery(stack.enter_context(hosted_in_thread(app)), painter, accounts)
    with asyncio.Runner() as last:
        last.run(writing.__aexit__(None, None, None))


def test_pictures_are_billed_by_the_piece(gallery: Gallery) -> None:
    with gallery.client("money/month=1") as client:
        assert len(client.images.generate(model="art", prompt="a reef", n=2).data or []) == 2
        with client.images.generate(model="art", prompt="a reef", n=3, stream=True) as stream:
            assert [event.type.split(".")[1] for event in stream].count("completed") == 3
        assert client.images.generate(model="plain", prompt="a reef").data
    rows = {(row.model, row.nanos) for row in _billed(gallery.accounts, 3)}
    assert rows == {("art", 8 * _NANOS // 100), ("art", 12 * _NANOS // 100), ("plain", 0)}


def test_quotas_hold_for_pictures(gallery: Gallery) -> None:
    with gallery.client("money/month=0.1") as client:
        client.images.generate(model="art", prompt="a reef", n=2)
        with pytest.raises(openai.RateLimitError) as spent:
            client.images.generate(model="art", prompt="a reef")
        assert spent.value.code == "insufficient_quota"
    with gallery.client("requests/day=1") as client:
        client.images.generate(model="plain", prompt="a reef")
        with pytest.raises(openai.RateLimitError):
            client.images.generate(model="plain", prompt="a reef")
    with (
        OpenAI(base_url=f"{gallery.url}/v1", api_key="wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.images.generate(model="plain", prompt="a reef")
    assert len(gallery.painter.orders) == 2


def test_a_picture_that_is_refused_or_fails_costs_nothing(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(order: object, tell: object) -> None:
        raise RuntimeError("out of memory")

    with gallery.client("money/month=1") as client:
        with pytest.raises(openai.BadRequestError, match="can't be made"):
            client.images.generate(model="art", prompt="a reef", size="1x1")  # type: ignore[call-overload]
        monkeypatch.setattr(gallery.painter, "paint", fail)
        with pytest.raises(openai.APIConnectionError):
            list(client.images.generate(model="art", prompt="a reef", stream=True))
    assert {row.nanos for row in _billed(gallery.accounts, 2)} == {0}
