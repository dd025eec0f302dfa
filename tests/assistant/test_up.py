"""archipel up: the service and the page, started and ended together."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.serve.scripted import ScriptedService

Archipel = Callable[..., subprocess.Popen[str]]


def url_in_next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().split()
    assert line, process.communicate()[1]
    return line[1]


def test_service_and_page_start_and_end_together(archipel: Archipel, checkpoint: Path) -> None:
    process = archipel("up", f"tiny={checkpoint}", "--port", 0, "--page-port", 0, "--threads", 1)
    service_url, page_url = url_in_next_line(process), url_in_next_line(process)
    assert httpx.get(f"{service_url}/models").json()["data"][0]["id"] == "tiny"
    shown = {"models": ["tiny"], "host": "127.0.0.1", "local": True}
    assert httpx.get(f"{page_url}/api/models").json() == shown
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_the_key_goes_to_the_service_and_not_to_the_browser(
    archipel: Archipel, scripted: ScriptedService
) -> None:
    process = archipel(
        *("up", "--service-url", scripted.url, "--page-port", 0),
        ARCHIPEL_API_KEY="the-key",
    )
    response = httpx.get(f"{url_in_next_line(process)}/api/models")
    assert response.json()["models"] == ["island", "reef"]
    assert scripted.keys == {"Bearer the-key"}
    assert "the-key" not in response.text + str(response.headers)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
