"""Shared by all tests: system packages that are missing skip here, and fail under CI."""

import asyncio
import base64
import hashlib
import hmac
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest
from moto.server import ThreadedMotoServer
from playwright.sync_api import Browser, expect, sync_playwright

from archipel.errors import SandboxError
from archipel.sandbox.sandbox import Sandbox
from tests.chromium import OPTIONS

_PAGE_MILLISECONDS = 60_000  # until a page has done its part, beside other tests

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

AZURITE = Path(__file__).resolve().parents[1] / ".venv/azurite/node_modules/.bin/azurite-blob"
AXE = Path(__file__).resolve().parents[1] / ".venv/axe/node_modules/axe-core/axe.min.js"
# Azurite's account and key are the same everywhere, by its documentation.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


def missing(what: str) -> None:
    """Skip the calling test because `what` is not on this machine; under CI that is a failure."""
    message = f"{what} is not installed on this machine"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(autouse=True, scope="module")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that a test does touches the user's own models, keys and caches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHIPEL_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(autouse=True, scope="module")
def _clients_are_closed() -> Iterator[None]:
    """Clients that a test leaves open are closed with its file: where the garbage collector finds
    one, it may find the sockets first, and Python warns of them in whatever test runs then."""
    made: list[httpx.Client] = []
    make = httpx.Client.__init__

    def noted(client: httpx.Client, *args: Any, **options: Any) -> None:
        make(client, *args, **options)
        made.append(client)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx.Client, "__init__", noted)
        yield
    for client in made:
        client.close()


@pytest.fixture(scope="session")
def libreoffice() -> str:
    """The path of LibreOffice's program."""
    path = shutil.which("soffice")
    if path is None:
        missing("LibreOffice (soffice)")
    return str(path)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the system's Chromium; its headless shell, where there is one, is faster."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        missing("chromium")
    assert path is not None
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless browser that asks no other host for anything of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        expect.set_options(timeout=_PAGE_MILLISECONDS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    """The sandbox that this machine has."""
    try:
        return asyncio.run(Sandbox.open())
    except SandboxError as error:
        missing(f"what a sandbox needs ({error})")
        raise


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A real S3 server on loopback; yields its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, and the environment in which S3 clients find it; its URL."""
    import boto3

    name = f"bucket-{uuid.uuid4().hex[:12]}"
    for key, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(key, value)
    boto3.client("s3", region_name="us-east-1", endpoint_url=s3_endpoint).create_bucket(Bucket=name)
    return f"s3://{name}"


@pytest.fixture(scope="session")
def azure_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Azure Blob server on loopback, Azurite; yields its URL."""
    if not AZURITE.exists():
        missing("azurite (scripts/system-packages)")
    command = [AZURITE, "--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"]
    with subprocess.Popen(
        [*command, "--skipApiVersionCheck", "--disableTelemetry", "--silent"],
        cwd=tmp_path_factory.mktemp("azurite"),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        while "successfully listens on " not in said:
            said = process.stdout.readline()
            assert said, "azurite ended before it listened"
        yield said.split("successfully listens on ")[1].strip()
        process.terminate()


@pytest.fixture
def azure_container(azure_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty container, and the environment in which Azure clients find it; its URL."""
    name = f"container-{uuid.uuid4().hex[:12]}"
    for key, value in {
        "AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
        "AZURE_STORAGE_ENDPOINT": f"{azure_endpoint}/{AZURE_ACCOUNT}",
        "AZURE_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(key, value)
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    # Shared Key: the verb, eleven standard headers (none sent), these two, the resource, the query.
    listed = "".join(f"{key}:{value}\n" for key, value in headers.items())
    resource = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{name}\nrestype:container"
    text = "PUT" + 12 * "\n" + listed + resource
    digest = hmac.digest(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256)
    headers["Authorization"] = f"SharedKey {AZURE_ACCOUNT}:{base64.b64encode(digest).decode()}"
    url = f"{azure_endpoint}/{AZURE_ACCOUNT}/{name}?restype=container"
    httpx.put(url, headers=headers).raise_for_status()
    return f"az://{name}"
