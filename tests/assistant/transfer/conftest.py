"""The history of the neighbours' tests, and the assistant's server over it."""

import time
from collections.abc import Iterator

import httpx
import pytest

from archipel.assistant.app import create_app
from archipel.assistant.desk import Desk
from archipel.chat import ChatService
from archipel.database import Database
from tests.assistant.history.conftest import history, postgresql, url
from tests.serve.scripted import hosted_in_thread

__all__ = ["history", "postgresql", "url"]


@pytest.fixture
def asking(history: Database) -> Iterator[httpx.Client]:
    """A client of the assistant, as its own page is one."""
    app = create_app(ChatService("http://127.0.0.1:9/v1"), Desk(history, time.time))
    with hosted_in_thread(app) as address:
        headers = {"Origin": address}
        with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
            yield client
