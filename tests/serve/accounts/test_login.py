"""Login with a password: in, out, kept waiting, kept out."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from archipel.database import Database
from archipel.serve.accounts.people import password_of
from archipel.serve.login.settings import LoginTable
from tests.serve.accounts.logins import HERE, PASSWORD, Logins, logins, who


def test_a_login_lasts_until_the_logout(accounts: Database) -> None:
    async def scenario(its: Logins) -> None:
        assert its.first_password
        async with its.browser() as browser:
            assert await who(browser) is None
            response = await its.enter(browser, "admin", its.first_password)
            assert (response.status_code, response.headers["location"]) == (303, "/me")
            cookie = response.headers["set-cookie"]
            for flag in ("HttpOnly", "SameSite=lax", "Path=/"):
                assert flag in cookie
            assert await who(browser) == "admin"
            token = browser.cookies["archipel"]
            with accounts.reading() as connection:
                dump = connection.execute(text("SELECT * FROM sessions")).all()
                dump += connection.execute(text("SELECT * FROM people")).all()
            assert token not in repr(dump)
            assert its.first_password not in repr(dump)
            assert (await browser.post("/logout")).status_code == 303
            browser.cookies.set("archipel", token)
            assert await who(browser) is None

    _run(accounts, scenario)


def test_a_session_ends_with_time(few: Database) -> None:
    async def scenario(its: Logins) -> None:
        its.add("marie")
        async with its.browser() as browser:
            await its.enter(browser, "marie", PASSWORD)
            began = its.now
            for minutes in (50, 100, 150):  # used now and then, it lasts
                its.now = began + minutes * 60
                assert await who(browser) == "marie"
            its.now += 61 * 60
            assert await who(browser) is None
            its.now = began
            await its.enter(browser, "marie", PASSWORD)
            for minutes in range(0, 12 * 60, 30):
                its.now = began + minutes * 60
                assert await who(browser) == "marie"
            its.now = began + 12 * 3600
            assert await who(browser) is None

    _run(few, scenario)


def test_what_an_administrator_does_holds_at_once(accounts: Database) -> None:
    async def scenario(its: Logins) -> None:
        its.add("marie")
        async with its.browser() as browser:
            for act in (
                lambda office: office.set_role("marie", "auditor"),
                lambda office: office.set_password("marie", "$none"),
                lambda office: office.disable("marie"),
            ):
                with its.office() as office:
                    office.set_password("marie", _hash(accounts, "admin"))
                assert (await its.enter(browser, "marie", its.first_password or "")).is_redirect
                assert await who(browser) == "marie"
                with its.office() as office:
                    act(office)
                assert await who(browser) is None
            refused = await its.enter(browser, "marie", its.first_password or "")
            assert refused.status_code == 401

    _run(accounts, scenario)


def test_wrong_names_and_wrong_passwords_look_and_last_the_same(few: Database) -> None:
    names = ("marie", "nobody", "x" * 5000, "nul\0")

    async def scenario(its: Logins) -> None:
        its.add("marie")
        answers = set()
        seconds: defaultdict[str, list[float]] = defaultdict(list)
        async with its.browser() as browser:
            for name in names * 4:
                began = time.process_time()  # of this process: neighbours don't count
                answer = await its.enter(browser, name, "a wrong password")
                seconds[name].append(time.process_time() - began)
                answers.add((answer.status_code, answer.text))
        assert [status for status, _ in answers] == [401]
        least = {name: min(its) for name, its in seconds.items()}
        assert min(least.values()) > 0.5 * max(least.values()), least

    _run(few, scenario)


def test_wrong_passwords_must_wait_however_many_come_at_once(accounts: Database) -> None:
    async def scenario(its: Logins) -> None:
        its.add("marie")
        async with its.browser() as browser:
            wrong = [its.enter(browser, "marie", "a wrong password") for _ in range(30)]
            answers = await asyncio.gather(*wrong)
            assert Counter(one.status_code for one in answers) == {401: 5, 429: 25}
            early = await its.enter(browser, "marie", PASSWORD)
            assert early.status_code == 429
            assert int(early.headers["retry-after"]) in (2, 3)
            assert "Too many wrong passwords" in early.text
            its.now += 3
            assert (await its.enter(browser, "marie", PASSWORD)).status_code == 303
            assert (await its.enter(browser, "marie", "a wrong password")).status_code == 401

    _run(accounts, scenario)


def test_a_session_that_was_put_into_the_browser_opens_nothing(few: Database) -> None:
    async def scenario(its: Logins) -> None:
        its.add("marie")
        its.add("mallory")
        async with its.browser() as mallory, its.browser() as browser:
            await its.enter(mallory, "mallory", PASSWORD)
            token = mallory.cookies["archipel"]
            browser.cookies.set("archipel", token, domain="127.0.0.1", path="/")
            await its.enter(browser, "marie", PASSWORD)
            assert browser.cookies["archipel"] != token
            assert await who(browser) == "marie"
            assert await who(mallory) is None

    _run(few, scenario)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "https://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Referer": f"{HERE}/login"},
    ],
    ids=str,
)
def test_pages_of_other_sites_can_send_no_form(few: Database, headers: dict[str, str]) -> None:
    async def scenario(its: Logins) -> None:
        its.add("marie")
        async with its.browser() as browser:
            await its.enter(browser, "marie", PASSWORD)
            del browser.headers["origin"]
            for path in ("/login", "/logout", "/me/password"):
                sent = {"name": "marie", "password": PASSWORD, "old": PASSWORD, "new": "n" * 20}
                answer = await browser.post(path, data=sent, headers=headers)
                assert answer.status_code == 403
            assert await who(browser) == "marie"
            own = await browser.post("/logout", headers={"Sec-Fetch-Site": "same-origin"})
            assert own.status_code == 303

    _run(few, scenario)


def test_only_this_machine_logs_in_without_a_url(few: Database) -> None:
    async def scenario(its: Logins) -> None:
        its.add("marie")
        for url, address, opens in (
            (HERE, "127.0.0.1", True),
            ("http://localhost:8000", "127.0.0.1", True),
            ("http://[::1]:8000", "::1", True),
            (HERE, "192.0.2.7", False),
            ("http://rebound.example:8000", "127.0.0.1", False),
        ):
            async with its.browser(url, address) as browser:
                assert ((await browser.get("/login")).status_code == 200) == opens
                entered = await its.enter(browser, "marie", PASSWORD)
                assert entered.status_code == (303 if opens else 403)
                assert ((await browser.get("/me")).status_code == 200) == opens

    _run(few, scenario)


def test_behind_a_proxy_with_tls_the_cookie_is_the_hosts_own(few: Database) -> None:
    async def scenario(its: Logins) -> None:
        its.add("marie")
        async with its.browser("https://ai.example.com", "192.0.2.7") as browser:
            cookie = (await its.enter(browser, "marie", PASSWORD)).headers["set-cookie"]
            assert cookie.startswith("__Host-archipel=")
            assert "Secure" in cookie
            assert await who(browser) == "marie"
        async with its.browser("https://ai.example.com", "192.0.2.7") as browser:
            browser.headers["origin"] = "https://evil.example"
            assert (await its.enter(browser, "marie", PASSWORD)).status_code == 403

    _run(few, scenario, LoginTable(url="https://ai.example.com/"))


def test_people_change_their_own_password(accounts: Database) -> None:
    async def scenario(its: Logins) -> None:
        its.add("marie")
        new = "another long password"
        async with its.browser() as browser:
            await its.enter(browser, "marie", PASSWORD)
            for old, wanted, status in (
                ("a wrong password", new, 403),
                (PASSWORD, "short", 400),
                (PASSWORD, "x" * 2000, 400),
                (PASSWORD, new, 200),
            ):
                sent = {"old": old, "new": wanted}
                assert (await browser.post("/me/password", data=sent)).status_code == status
            assert await who(browser) is None
            assert (await its.enter(browser, "marie", PASSWORD)).status_code == 401
            assert (await its.enter(browser, "marie", new)).status_code == 303

    _run(accounts, scenario)


def test_what_is_no_form_is_refused(accounts: Database) -> None:
    async def scenario(its: Logins) -> None:
        async with its.browser() as browser:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            for content, headers, status in (
                (b"name=a&password=b", {"Content-Type": "text/plain"}, 415),
                (b"{}", {"Content-Type": "application/json"}, 415),
                (b"a=b&" * 1000, form, 400),
                (b"name=\xff\xfe", form, 400),
                (b"name=" + b"x" * (5 << 20), form, 413),
                (b"", form, 401),
                (b"name=%00%ff&password=%00", form, 401),
            ):
                answer = await browser.post("/login", content=content, headers=headers)
                assert answer.status_code == status, content[:20]
            for token in ("x", "x" * 4000, "%00"):
                cookie = {"Cookie": f"archipel={token}"}
                assert (await browser.get("/me", headers=cookie)).status_code == 303

    _run(accounts, scenario)


def test_pages_speak_the_readers_language_and_keep_others_out(few: Database) -> None:
    async def scenario(its: Logins) -> None:
        async with its.browser() as browser:
            for accepted, title in (
                ("fr-CA,fr;q=0.9,en;q=0.8", "Se connecter"),
                ("de, en;q=0.3, fr;q=0.7", "Se connecter"),
                ("de", "Log in"),
                ("fr;q=x, en;q=0.1", "Log in"),
            ):
                answer = await browser.get("/login", headers={"Accept-Language": accepted})
                assert f"<h1>{title}</h1>" in answer.text
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["cache-control"] == "no-store"
            assert (await browser.get("/login/style.css")).status_code == 200

    _run(few, scenario)


def test_a_name_is_text_on_a_page(few: Database) -> None:
    async def scenario(its: Logins) -> None:
        its.add("<b>&marie")
        async with its.browser() as browser:
            await its.enter(browser, "<b>&marie", PASSWORD)
            page = (await browser.get("/me")).text
        assert "&lt;b&gt;&amp;marie" in page
        assert "<b>" not in page

    _run(few, scenario)


def test_without_its_database_nobody_comes_in(accounts: Database) -> None:
    async def scenario(its: Logins) -> None:
        with accounts.writing() as connection:
            connection.execute(text("DROP TABLE attempts"))
            connection.execute(text("DROP TABLE sessions"))
        async with its.browser() as browser:
            answer = await its.enter(browser, "admin", its.first_password or "")
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            cookie = {"Cookie": "archipel=abc"}
            assert (await browser.get("/me", headers=cookie)).status_code == 503

    _run(accounts, scenario)


def _hash(accounts: Database, name: str) -> str:
    with accounts.reading() as connection:
        return password_of(connection, name) or ""


def _run(
    accounts: Database,
    scenario: Callable[[Logins], Awaitable[None]],
    table: LoginTable | None = None,
) -> None:
    async def run() -> None:
        async with logins(accounts, table) as its:
            await scenario(its)

    asyncio.run(run())
