"""What happens to processes: an engine that dies, a service that dies, a service told to end."""

import os
import signal
from collections.abc import Callable

import httpx
import pytest

from tests.serve.conftest import Service, wait_for_end


@pytest.fixture
def own_service(start_service: Callable[..., Service]) -> Service:
    return start_service()


def test_a_killed_engine_costs_one_request_at_most(own_service: Service) -> None:
    killed = own_service.engine_process_id()
    os.kill(killed, signal.SIGKILL)
    assert wait_for_end(killed)
    body = {"model": "tiny", "prompt": "def ", "max_tokens": 4}
    first, second = (httpx.post(f"{own_service.url}/completions", json=body) for _ in range(2))
    if first.status_code != 200:  # it came before the service had noticed
        assert first.status_code == 503
        assert first.json()["error"]["code"] == "provider_unavailable"
    assert second.status_code == 200
    assert own_service.engine_process_id() != killed


def test_the_engine_ends_when_the_service_is_killed(own_service: Service) -> None:
    engine = own_service.engine_process_id()
    own_service.process.kill()
    own_service.process.wait(20)
    assert wait_for_end(engine)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_service_and_its_engine(own_service: Service, number: int) -> None:
    engine = own_service.engine_process_id()
    own_service.process.send_signal(number)
    assert own_service.process.wait(20) == 0
    assert wait_for_end(engine)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{own_service.url}/models")
