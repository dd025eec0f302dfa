"""Login at an OpenID provider: who comes in, and every way that is none."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from archipel.database import Database
from archipel.errors import ConfigError
from archipel.serve.accounts.people import list_people
from archipel.serve.login.settings import OidcTable
from archipel.serve.settings import read_settings
from tests.serve.accounts.logins import PASSWORD, Logins, logins, who
from tests.serve.accounts.provider import CLIENT, SECRET, Claims, Provider, provider

_OIDC = '[oidc]\nissuer = "https://id.example.com"\nclient_id = "a"'
_OTHER = RSAKey.generate_key(2048, {"kid": "second"})


@pytest.fixture(scope="module")
def _running() -> Iterator[Provider]:
    with provider() as its:
        yield its


@pytest.fixture
def idp(_running: Provider) -> Provider:
    """The provider as it is at first."""
    fresh = Provider(url=_running.url)
    _running.__dict__.update(fresh.__dict__)
    return _running


@pytest.fixture
def run(idp: Provider, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a scenario over pages whose provider is `idp`."""
    monkeypatch.setenv("OIDC_SECRET", SECRET)

    def run_one(
        accounts: Database, scenario: Callable[[Logins], Awaitable[None]], **more: Any
    ) -> None:
        fields = {"issuer": idp.url, "client_id": CLIENT, "client_secret_env": "OIDC_SECRET"}
        table = OidcTable.model_validate(fields | more)

        async def run_all() -> None:
            async with logins(accounts, oidc=table) as its:
                await scenario(its)

        asyncio.run(run_all())

    return run_one


async def _went(browser: httpx.AsyncClient) -> str:
    """Where the provider sends the browser back to."""
    there = (await browser.get("/login/oidc")).headers["location"]
    async with httpx.AsyncClient() as outside:
        return (await outside.get(there)).headers["location"]


async def _enter(browser: httpx.AsyncClient) -> httpx.Response:
    return await browser.get(await _went(browser))


def test_a_login_makes_a_person_known_by_subject_alone(
    accounts: Database, idp: Provider, run: Callable[..., None]
) -> None:
    async def scenario(its: Logins) -> None:
        address = {"email": "marie@example.com", "email_verified": True}
        idp.person |= address
        async with its.browser() as browser:
            assert (await _enter(browser)).headers["location"] == "/me"
            assert await who(browser) == "marie"
        idp.person = {"sub": "2", "preferred_username": "admin", **address}
        async with its.browser() as browser:
            await _enter(browser)
            assert (await who(browser) or "").startswith("admin ")
        idp.person = {"sub": "1", "preferred_username": "someone else"}
        async with its.browser() as browser:
            await _enter(browser)
            assert await who(browser) == "marie"
        with its.office() as office:
            office.disable("marie")
            with pytest.raises(ConfigError, match="logs in at"):
                office.set_password("marie", "h")
        async with its.browser() as browser:
            refused = await _enter(browser)
            assert refused.status_code == 403
            assert "administrator" in refused.text
            assert await who(browser) is None
        assert idp.asked_keys == 1

    run(accounts, scenario)


def test_groups_give_roles_and_projects_at_each_login(
    accounts: Database, idp: Provider, run: Callable[..., None]
) -> None:
    async def scenario(its: Logins) -> None:
        async with its.browser() as browser:
            for groups, role, projects in (
                (["ml", "web"], "auditor", {"site": "manager"}),
                (["web"], "person", {"site": "member"}),
                ("ml", "auditor", {"site": "manager"}),
                (None, "person", {}),
                ([["ml"], 7, {"a": 1}], "person", {}),
            ):
                idp.person = {"sub": "1", "preferred_username": "marie", "groups": groups}
                assert (await _enter(browser)).status_code == 303
                with accounts.reading() as connection:
                    (found,) = [p for p in list_people(connection) if p["name"] == "marie"]
                assert (found["role"], found["projects"]) == (role, projects)

    groups = {
        "ml": {"role": "auditor", "projects": {"site": "manager", "not there": "member"}},
        "web": {"projects": {"site": "member"}},
    }
    run(accounts, scenario, groups_claim="groups", groups=groups)


def test_only_verified_addresses_of_the_domains_come_in(
    few: Database, idp: Provider, run: Callable[..., None]
) -> None:
    async def scenario(its: Logins) -> None:
        async with its.browser() as browser:
            for email, verified, opens in (
                ("m@example.com", True, True),
                ("m@EXAMPLE.com", True, True),
                ("m@example.com", False, False),
                ("m@example.com", "true", False),
                ("m@evil.example", True, False),
                ("m@example.com.evil.example", True, False),
                ("m@evil.example\n@example.com", True, False),
                (None, True, False),
            ):
                idp.person = {"sub": "1", "email": email, "email_verified": verified}
                assert ((await _enter(browser)).status_code == 303) == opens, email

    run(few, scenario, email_domains=["example.com"])


def test_only_the_browser_that_went_comes_back_and_once(
    few: Database, idp: Provider, run: Callable[..., None]
) -> None:
    async def scenario(its: Logins) -> None:
        async with its.browser() as browser, its.browser() as other:
            back = await _went(browser)
            assert (await other.get(back)).status_code == 403  # a link that somebody sent
            await other.get("/login/oidc")
            assert (await other.get(back)).status_code == 403
            for forged in ("", "x", "é", "a" * 5000):
                url = httpx.URL(back).copy_set_param("state", forged)
                assert (await browser.get(url)).status_code == 403
            assert (await browser.get("/login/oidc/back")).status_code == 403
            assert (await browser.get(back)).status_code == 303
            assert await who(browser) == "marie"
            assert (await browser.get(back)).status_code == 403
            code = httpx.URL(back).params["code"]
            again = httpx.URL(await _went(other)).copy_set_param("code", code)
            assert (await other.get(again)).status_code == 502  # the code is spent
            stolen = httpx.URL(await _went(browser)).params["code"]
            mine = httpx.URL(await _went(other)).copy_set_param("code", stolen)
            assert (await other.get(mine)).status_code == 502  # PKCE: it is another browser's
            assert await who(other) is None

    run(few, scenario)


def test_what_the_provider_sends_back_without_a_code_is_refused(
    few: Database, idp: Provider, run: Callable[..., None]
) -> None:
    async def scenario(its: Logins) -> None:
        async with its.browser() as browser:
            for changes in (
                {"error": "access_denied"},
                {"code": ""},
                {"code": "x" * 3000},
                {"iss": "https://evil.example"},
            ):
                back = httpx.URL(await _went(browser)).copy_merge_params(changes)
                assert (await browser.get(back)).status_code == 502
                assert (await browser.get(back)).status_code == 403  # one try

    run(few, scenario)


def test_a_session_of_before_does_not_outlive_the_login(
    few: Database, idp: Provider, run: Callable[..., None]
) -> None:
    async def scenario(its: Logins) -> None:
        its.add("mallory")
        async with its.browser() as mallory, its.browser() as browser:
            await its.enter(mallory, "mallory", PASSWORD)
            token = mallory.cookies["archipel"]
            browser.cookies.set("archipel", token, domain="127.0.0.1", path="/")
            await _enter(browser)
            assert await who(browser) == "marie"
            assert await who(mallory) is None

    run(few, scenario)


def _none(claims: Claims) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join([base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts] + [""])


def _with_the_public_key_as_secret(claims: Claims) -> str:
    key = Provider().key
    assert isinstance(key, RSAKey)
    pem = key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"first"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    signed = hmac.digest(pem, f"{head}.{body}".encode(), hashlib.sha256)
    return f"{head}.{body}.{base64.urlsafe_b64encode(signed).decode().rstrip('=')}"


def _by_a_stranger(claims: Claims) -> str:
    return jwt.encode({"alg": "RS256", "kid": "first"}, claims, _OTHER)


def _with_its_own_key(claims: Claims) -> str:
    head = {"alg": "RS256", "jwk": _OTHER.as_dict(private=False)}
    return jwt.encode(head, claims, _OTHER)


def _by_an_unknown_key(claims: Claims) -> str:
    return jwt.encode({"alg": "RS256", "kid": "second"}, claims, _OTHER)


def _with_another_kind_of_key(claims: Claims) -> str:
    return jwt.encode({"alg": "ES256", "kid": "first"}, claims, ECKey.generate_key("P-256"))


def _altered(claims: Claims) -> str:
    head, _, signature = Provider()._sign(claims).split(".")
    body = json.dumps(claims | {"sub": "admin"}).encode()
    return f"{head}.{base64.urlsafe_b64encode(body).decode().rstrip('=')}.{signature}"


_NOW = time.time()
_SPOILT: list[dict[str, Any]] = [
    {"nonce": "another"},
    {"nonce": None},
    {"aud": "another"},
    {"aud": ["another"]},
    {"aud": [CLIENT, "another"]},
    {"aud": [CLIENT, "another"], "azp": "another"},
    {"azp": "another"},
    {"iss": "https://evil.example"},
    {"exp": _NOW - 100},
    {"exp": "tomorrow"},
    {"exp": float("nan")},
    {"exp": True},
    {"iat": _NOW - 3600},
    {"iat": _NOW + 3600},
    {"iat": None},
    {"nbf": _NOW + 3600},
    {"sub": ""},
    {"sub": 7},
    {"sub": "x" * 256},
    {"sub": "nul\0"},
]
_SIGNED = [
    *(_none, _with_the_public_key_as_secret, _by_a_stranger, _with_its_own_key),
    *(_by_an_unknown_key, _with_another_kind_of_key, _altered),
    *(lambda claims: "", lambda claims: "a.b.c", lambda claims: "é" * 100),
]


def test_a_token_that_does_not_hold_lets_nobody_in(
    few: Database, idp: Provider, run: Callable[..., None]
) -> None:
    async def scenario(its: Logins) -> None:
        async with its.browser() as browser:
            for changes in _SPOILT:
                idp.spoil = lambda claims, changes=changes: claims | changes  # type: ignore[misc]
                assert (await _enter(browser)).status_code == 502, changes
            idp.spoil = lambda claims: claims
            for sign in _SIGNED:
                idp.sign = sign
                assert (await _enter(browser)).status_code == 502, sign
            assert await who(browser) is None
            with few.reading() as connection:
                assert [one["name"] for one in list_people(connection)] == ["admin"]
            idp.sign = None
            assert (await _enter(browser)).status_code == 303

    run(few, scenario)


def test_the_provider_may_change_its_keys(
    few: Database, idp: Provider, run: Callable[..., None]
) -> None:
    async def scenario(its: Logins) -> None:
        async with its.browser() as browser:
            await _enter(browser)
            idp.key = _OTHER
            idp.published = [*idp.published, _OTHER]
            assert (await _enter(browser)).status_code == 303
            curve = ECKey.generate_key("P-256", {"kid": "third"})
            idp.published = [curve, OctKey.generate_key(256, {"kid": "odd"})]
            idp.sign = lambda claims: jwt.encode({"alg": "ES256", "kid": "third"}, claims, curve)
            assert (await _enter(browser)).status_code == 303
            assert idp.asked_keys == 3

    run(few, scenario)


def test_a_small_key_is_none(few: Database, idp: Provider, run: Callable[..., None]) -> None:
    async def scenario(its: Logins) -> None:
        with pytest.warns(Warning, match="2048"):
            small = RSAKey.generate_key(1024, {"kid": "first"})
        idp.key, idp.published = small, [small]
        async with its.browser() as browser:
            assert (await _enter(browser)).status_code == 502

    run(few, scenario)


@pytest.mark.parametrize(
    "told",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": "http://id.example.com/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "http://169.254.169.254/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"token_endpoint": 7},
        {"padding": "x" * (2 << 20)},
    ],
    ids=lambda told: str(told)[:60],
)
def test_a_provider_that_says_what_can_not_be_is_not_asked(
    few: Database, idp: Provider, run: Callable[..., None], told: dict[str, Any]
) -> None:
    idp.told = told

    async def scenario(its: Logins) -> None:
        async with its.browser() as browser:
            assert (await browser.get("/login/oidc")).status_code == 502

    run(few, scenario)


def test_a_provider_that_is_away_is_told(few: Database, run: Callable[..., None]) -> None:
    async def scenario(its: Logins) -> None:
        async with its.browser() as browser:
            answer = await browser.get("/login/oidc")
            assert answer.status_code == 502
            assert "did not work" in answer.text

    run(few, scenario, issuer="http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[oidc]\nissuer = "http://id.example.com"\nclient_id = "a"', "oidc.issuer"),
        ('[oidc]\nissuer = "https://u:secret@id.example.com"\nclient_id = "a"', "credentials"),
        (
            '[oidc]\nissuer = "https://id.example.com"\nclient_id = "a"\nscopes = ["email"]',
            "openid",
        ),
        (
            '[oidc]\nissuer = "https://id.example.com"\nclient_id = "a"\ngroups_claim = "g"',
            "groups",
        ),
        ('[login]\nurl = "http://ai.example.com"', "login.url"),
        ('[login]\nurl = "https://ai.example.com/path"', "without a path"),
        ("[login]\nhours = 0", "login.hours"),
    ],
)
def test_settings_that_can_not_be_are_named(tmp_path: Path, table: str, said: str) -> None:
    file = tmp_path / "service.toml"
    file.write_text(f"[accounts]\n{table}\n")
    with pytest.raises(ConfigError, match=said) as refused:
        read_settings(file)
    assert "secret" not in str(refused.value)
    file.write_text('[login]\nurl = "https://ai.example.com"')
    with pytest.raises(ConfigError, match="accounts"):
        read_settings(file)
