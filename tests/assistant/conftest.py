"""The assistant's page over a service whose answers the test writes."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.serve.conftest import (
    archipel,
    checkpoint,
    home,
    service,
    start_service,
    tiny_config,
    tokenizer_folder,
)
from tests.serve.scripted import hosted_in_thread, scripted

__all__ = [
    "archipel",
    "checkpoint",
    "home",
    "scripted",
    "service",
    "start_service",
    "tiny_config",
    "tokenizer_folder",
]


@pytest.fixture
def page_over() -> Iterator[Callable[[str], str]]:
    """Start the assistant over a service's URL; gives the page's."""
    from archipel.assistant.app import create_app

    with contextlib.ExitStack() as stack:
        yield lambda url: stack.enter_context(hosted_in_thread(create_app(url, "secret-key")))
