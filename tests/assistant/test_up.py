"""archipel up: the service and the page, started and ended together."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from archipel.cli.up import Page, check_page
from archipel.errors import ConfigError
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
    shown = httpx.get(f"{page_url}/api/models").json()
    assert (shown["models"], shown["host"], shown["local"]) == (["tiny"], "127.0.0.1", True)
    assert shown["about"]["tiny"]["place"] == "machine"
    assert shown["about"]["tiny"]["context"] == 4096
    assert httpx.get(f"{page_url}/api/me").json()["login"] is None
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


def test_for_several_people_the_first_start_makes_the_administrator_and_a_key(
    archipel: Archipel, checkpoint: Path, tmp_path: Path
) -> None:
    options = ["--people", "--port", 0, "--page-port", 0, "--threads", 1]
    environment = {"ARCHIPEL_HOME": str(tmp_path), "ARCHIPEL_SECRET": "pepper"}
    process = archipel("up", f"tiny={checkpoint}", *options, **environment)
    service = url_in_next_line(process).removesuffix("/v1")
    assert process.stdout is not None
    administrator = process.stdout.readline()
    password = administrator.partition("password ")[2].split()[0]
    page = url_in_next_line(process)
    form, origin = {"name": "admin", "password": password}, {"Origin": service}
    login = httpx.post(f"{service}/login", data=form, headers=origin)
    assert login.status_code == 303
    assert httpx.get(f"{page}/api/models").status_code == 401
    cookies = {"archipel": login.cookies["archipel"]}
    assert httpx.get(f"{page}/api/me", cookies=cookies).json()["person"]["name"] == "admin"
    assert httpx.get(f"{page}/api/models", cookies=cookies).json()["models"] == ["tiny"]
    assert httpx.get(f"{service}/v1/models").status_code == 401
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    kept = tmp_path / "assistant.key"
    assert kept.stat().st_mode & 0o777 == 0o600
    before = kept.read_text()

    again = archipel("up", f"tiny={checkpoint}", *options, **environment)
    url_in_next_line(again)
    page = url_in_next_line(again)  # no password is shown a second time
    assert httpx.get(f"{page}/api/models", cookies=cookies).json()["models"] == ["tiny"]
    assert kept.read_text() == before
    again.send_signal(signal.SIGTERM)
    assert again.wait(20) == 0


@pytest.mark.parametrize(
    ("page", "service", "said"),
    [
        (Page(host="0.0.0.0"), None, "--people"),
        (Page(host="0.0.0.0", people=True), None, "--page-url"),
        (Page(url="https://ai.example.com"), None, "--people"),
        (Page(people=True, url="http://ai.example.com"), None, "https://HOST"),
        (Page(people=True, url="https://ai.example.com/chat"), None, "without a path"),
        (Page(people=True, url="https://ana:x@ai.example.com"), None, "https://HOST"),
        (Page(people=True), "http://ai.example.com:8080/v1", "own host only"),
    ],
)
def test_a_page_is_not_open_to_more_than_it_is_made_for(
    page: Page, service: str | None, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        check_page(page, service)


def test_a_page_for_people_behind_a_proxy_with_tls_is_let_be() -> None:
    check_page(Page(host="0.0.0.0", people=True, url="https://ai.example.com"), None)
    check_page(Page(people=True), "http://127.0.0.1:8080/v1")
    check_page(Page(), "https://api.example.com/v1")
