"""The first administrator and an OpenID login in Chromium over the real process; `archipel people`;
no secret in the log."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import typer
from playwright.sync_api import Browser, Page, expect
from typer.testing import CliRunner

from archipel.cli import audit, keys, people
from archipel.errors import ConfigError

Archipel = Callable[..., subprocess.Popen[str]]
_app = typer.Typer()  # without the logging that `archipel` sets up, for this whole process
_app.add_typer(keys.app, name="keys")
_app.add_typer(people.app, name="people")
_app.command()(audit.audit)
_CLIENT_SECRET, _WRONG = "client-secret-8812", "wrong-password-4411"


@pytest.fixture
def provider() -> Iterator[str]:
    """A real OpenID provider, which asks who one is; its URL."""
    import oidc_provider_mock  # it uses what its own libraries deprecate

    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., str]:
    """Run one command of the administrator; what it printed, or with `fails` its error."""

    def run(*arguments: str, fails: bool = False) -> str:
        found = CliRunner().invoke(_app, arguments, env=_environment(tmp_path))
        if fails:
            assert isinstance(found.exception, ConfigError)
            return str(found.exception)
        assert found.exit_code == 0, found.output
        return found.output

    return run


def _environment(folder: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": f"sqlite:///{folder}/service.db",
        "ARCHIPEL_SECRET": "pepper",
        "OIDC_SECRET": _CLIENT_SECRET,
        "COLUMNS": "200",
    }


def _start(archipel: Archipel, folder: Path, issuer: str) -> tuple[subprocess.Popen[str], str, str]:
    """The process, its address, and the first administrator's password."""
    (folder / "service.toml").write_text(
        f"""
        [accounts]
        [providers.s]
        url = "http://127.0.0.1:9/v1"
        [routes.chat]
        targets = [{{provider = "s", model = "m"}}]
        [oidc]
        issuer = "{issuer}"
        client_id = "archipel"
        client_secret_env = "OIDC_SECRET"
        label = "Example"
        """
    )
    options = ["--config", folder / "service.toml", "--port", 0]
    process = archipel("--verbose", "--log-json", "serve", *options, **_environment(folder))
    assert process.stdout is not None
    url = process.stdout.readline().split()[1].removesuffix("/v1")
    shown = process.stdout.readline()
    assert "shown this once: name admin, password " in shown
    return process, url, shown.partition("password ")[2].split()[0]


def _log_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_people_log_in_with_a_browser(
    archipel: Archipel,
    command: Callable[..., str],
    browser: Browser,
    provider: str,
    tmp_path: Path,
) -> None:
    process, url, password = _start(archipel, tmp_path, provider)
    log = _Log(process)
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"{url}/me")
    expect(page).to_have_url(f"{url}/login")
    _log_in(page, "admin", _WRONG)
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    _log_in(page, "admin", password)
    expect(page).to_have_url(f"{url}/me")
    expect(page.get_by_role("heading")).to_have_text("You are logged in asadmin")
    expect(page.get_by_text("Administrator")).to_be_visible()
    secrets = [password, _WRONG, _CLIENT_SECRET, *(one["value"] for one in context.cookies())]
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{url}/login")
    assert context.cookies() == []

    page.get_by_role("link", name="Log in with Example").click()
    page.get_by_placeholder("sub").fill("marie")
    page.get_by_role("button", name="Authorize").click()
    expect(page).to_have_url(f"{url}/me")
    expect(page.get_by_role("heading")).to_contain_text("marie")
    assert [one["name"] for one in context.cookies([url])] == ["archipel"]
    secrets += [one["value"] for one in context.cookies([url])]

    secrets.append(_have_a_key(command, url))
    page.reload()
    expect(page).to_have_url(f"{url}/login")
    context.close()
    command("people", "disable", "marie", "--undo")
    assert "person:admin" in command("audit")
    process.terminate()
    told = log.whole()
    assert "wrong name or password" in told
    assert [secret for secret in secrets if secret in told] == []


def _have_a_key(command: Callable[..., str], url: str) -> str:
    """Marie's, until she is disabled."""
    create = ("keys", "create", "k", "--project", "site", "--person", "marie")
    command("keys", "project", "site")
    assert "is nobody in" in command(*create, fails=True)
    command("people", "join", "marie", "site", "--role", "manager")
    listed = command("people", "list")
    assert "site (manager)" in listed
    assert "http://localhost" in listed
    key = command(*create).strip()
    assert "marie" in command("keys", "list")
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}) as client:
        assert client.get(f"{url}/v1/models").status_code == 200
        command("people", "disable", "marie")
        stopped = sent = time.monotonic()
        while client.get(f"{url}/v1/models").status_code != 401:
            assert sent < stopped + 1.0
            sent = time.monotonic()
    return key


def test_people_are_administered_from_the_command_line(command: Callable[..., str]) -> None:
    first = command("people", "add", "paul", "--role", "auditor", "--email", "p@example.com")
    assert len(first.strip()) == 20
    second = command("people", "password", "paul")
    assert first != second
    assert "is no role" in command("people", "role", "paul", "king", fails=True)
    command("people", "role", "paul", "admin")
    listed = command("people", "list")
    for said in ("paul", "admin", "p@example.com", "with a password"):
        assert said in listed
    assert "nobody called" in command("people", "leave", "x", "site", fails=True)


class _Log:
    """What a process writes to standard error, read while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process, self._text = process, ""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        self._text = self._process.stderr.read()

    def whole(self) -> str:
        self._thread.join(20)
        return self._text
