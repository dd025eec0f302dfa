"""The assistant's page over a service whose answers the test writes."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import pytest

from archipel.assistant.workshop.sandbox import Sandbox
from archipel.errors import SandboxError
from tests.conftest import missing
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


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    """The sandbox that this machine has."""
    try:
        return asyncio.run(Sandbox.open())
    except SandboxError as error:
        missing(f"what a sandbox needs ({error})")
        raise
