"""People who log in at the service: each has their own, and nobody finds another's."""

import asyncio
import hashlib
import hmac
from functools import partial

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel.assistant.api.asked import answered
from archipel.assistant.people import LOCAL, person_of
from archipel.assistant.service_login import ServiceLogin
from archipel.serve.login.way_back import way_back
from tests.assistant.people.conftest import PASSWORD, House
from tests.serve.scripted import hosted_in_thread


async def _who(login: ServiceLogin, request: Request) -> Response:
    return JSONResponse((await login(request)).name)


async def asked(login: ServiceLogin, cookie: str, url: str = "http://127.0.0.1") -> httpx.Response:
    """Who asks, by a login, of a browser with this cookie on a page at `url`."""
    routes = [Route("/", answered(partial(_who, login)))]
    transport = httpx.ASGITransport(Starlette(routes=routes))
    name = "__Host-archipel" if url.startswith("https") else "archipel"
    headers = {"Cookie": f"{name}={cookie}; other=1"}
    async with httpx.AsyncClient(transport=transport, base_url=url, headers=headers) as client:
        return await client.get("/")


def asked_once(login: ServiceLogin, cookie: str, url: str = "http://127.0.0.1") -> httpx.Response:
    """The same, with a login for this only."""

    async def ask() -> httpx.Response:
        async with login:
            return await asked(login, cookie, url)

    return asyncio.run(ask())


def code(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json()["error"]["code"]


def test_nobody_is_told_where_to_log_in_and_nothing_else(house: House) -> None:
    told = house.call(None, "GET", "me").json()
    assert told == {"person": None, "login": f"{house.service}/login"}
    for path in ("models", "conversations", "preferences", "memories", "search?q=a", "shared/x"):
        assert code(house.call(None, "GET", path)) == (401, "not_logged_in")
    wrong = httpx.get(f"{house.page}/api/conversations", cookies={"archipel": "made-up"})
    assert code(wrong) == (401, "not_logged_in")


def test_two_people_at_once_see_their_own_only(house: House) -> None:
    house.ask("ana", "Where is my island?")
    house.ask("root", "Where is the harbour?")
    for name, own, others in (("ana", "island", "harbour"), ("root", "harbour", "island")):
        assert house.call(name, "GET", "me").json()["person"]["name"] == name
        listed = house.call(name, "GET", "conversations").json()["conversations"]
        titles = " ".join(one["title"] for one in listed)
        assert own in titles
        assert others not in titles
        assert house.call(name, "GET", f"search?q={others}").json()["hits"] == []


def test_anothers_conversation_by_its_number_is_not_there_for_an_admin_either(
    house: House,
) -> None:
    its = house.ask("ana", "A secret of mine")
    one, answer = f"conversations/{its['id']}", its["answer"]["id"]
    follow_up = {"conversation": its["id"], "parent": answer, "text": "?", "models": ["island"]}
    for method, path, body in (
        ("GET", one, None),
        ("PATCH", one, {"title": "mine"}),
        ("DELETE", one, None),
        ("POST", f"{one}/fork", {"message": answer}),
        ("POST", f"{one}/share", None),
        ("GET", f"messages/{answer}/events", None),
        ("POST", f"messages/{answer}/stop", None),
        ("POST", "questions", follow_up),
    ):
        assert code(house.call("root", method, path, body)) == (404, "not_found"), path
    assert house.call("ana", "GET", one).json()["conversation"]["title"] == "A secret of mine"


def test_preferences_and_memories_are_ones_own(house: House) -> None:
    changed = house.call("ana", "PATCH", "preferences", {"instructions": "Call me Ana"})
    assert changed.json()["instructions"] == "Call me Ana"
    assert house.call("root", "GET", "preferences").json()["instructions"] == ""
    for method in ("PATCH", "DELETE"):
        answer = house.call("root", method, "memories/1", {"text": "x"})
        assert code(answer) == (404, "not_found")


def test_what_a_project_shares_is_lost_as_soon_as_one_leaves_it(house: House) -> None:
    for name in ("ana", "root"):
        house.office(lambda office, name=name: office.join(name, "assistant", "member"))
    made = house.call("root", "POST", "collections", {"name": "Lighthouse"}).json()["id"]
    where = f"collections/{made}"
    shared = house.call("root", "PUT", f"{where}/share", {"project": "assistant"})
    assert shared.json()["project"] == "assistant"
    [seen] = house.call("ana", "GET", "collections").json()["collections"]
    assert (seen["owner"], seen["may"]) == ("root", "read")
    house.office(lambda office: office.join("ana", "assistant", "manager"))
    assert house.call("ana", "GET", "collections").json()["collections"][0]["may"] == "edit"
    house.office(lambda office: office.leave("ana", "assistant"))
    assert house.call("ana", "GET", "collections").json()["collections"] == []
    assert code(house.call("ana", "GET", f"{where}/documents")) == (404, "not_found")
    question = {"conversation": None, "parent": None, "text": "?", "models": ["island"]}
    asked = house.call("ana", "POST", "questions", {**question, "documents": [made]})
    assert code(asked) == (404, "not_found")
    house.office(lambda office: office.leave("root", "assistant"))


@pytest.mark.parametrize("origin", ["http://attacker.example", "null", "http://127.0.0.1:9"])
def test_a_page_of_another_site_does_nothing_in_ones_name(house: House, origin: str) -> None:
    for method, path in (("POST", "logout"), ("PATCH", "preferences"), ("DELETE", "memories")):
        answer = house.call("ana", method, path, {}, Origin=origin)
        assert code(answer) == (403, "forbidden")
    assert house.call("ana", "GET", "me").json()["person"]["name"] == "ana"


def test_who_logs_out_is_out_here_and_at_the_service(house: House) -> None:
    cookie = {"archipel": house.log_in("ana")}
    answer = house.call("ana", "POST", "logout")
    assert answer.status_code == 204
    assert "archipel=" in answer.headers["set-cookie"]
    assert code(house.call("ana", "GET", "conversations")) == (401, "not_logged_in")
    assert httpx.get(f"{house.service}/admin/api/me", cookies=cookie).status_code == 401
    del house.cookies["ana"]


def test_a_service_that_is_away_is_said_and_logs_nobody_out(house: House) -> None:
    login = ServiceLogin("http://127.0.0.1:9/v1", "key", None, lambda: 0.0)
    answer = asked_once(login, house.log_in("ana"))
    assert code(answer) == (503, "login_away")
    assert "http://127.0.0.1:9" in answer.json()["error"]["message"]


def test_a_service_without_people_is_said(house: House) -> None:
    login = ServiceLogin(house.supplier.url, "key", None, lambda: 0.0)
    answer = asked_once(login, house.log_in("ana"))
    assert code(answer) == (503, "login_away")
    assert "[accounts]" in answer.json()["error"]["message"]


def test_behind_tls_only_the_sessions_own_cookie_goes_on_to_the_service() -> None:
    heard: list[str] = []

    async def me(request: Request) -> Response:
        heard.append(request.headers["cookie"])
        return JSONResponse({"name": "ana", "role": "person", "projects": {}})

    page = "https://ai.example.com"
    with hosted_in_thread(Starlette(routes=[Route("/admin/api/me", me)])) as service:
        login = ServiceLogin(f"{service}/v1", "key", page, lambda: 0.0)
        assert asked_once(login, "token", page).json() == "ana"
    assert heard == ["__Host-archipel=token"]


def test_whoever_is_logged_out_elsewhere_is_out_within_seconds(house: House) -> None:
    now = [0.0]
    login = ServiceLogin(f"{house.service}/v1", "key", None, lambda: now[0])

    async def ask() -> None:
        cookie = house.log_in("ana")
        async with login:
            assert (await asked(login, cookie)).json() == "ana"
            house.office(lambda office: office.set_role("ana", "person"))  # it ends all sessions
            now[0] = 14.0
            assert (await asked(login, cookie)).json() == "ana"
            now[0] = 16.0
            assert code(await asked(login, cookie)) == (401, "not_logged_in")
            now[0] = 0.0
            assert code(await asked(login, cookie)) == (401, "not_logged_in")

    asyncio.run(ask())
    house.cookies.clear()


def test_the_service_is_told_a_name_that_only_who_has_the_key_can_read(house: House) -> None:
    body = {"conversation": None, "parent": None, "text": "Hi", "models": ["island"]}
    house.call("ana", "POST", "questions", body)
    user = house.supplier.asked()["user"]
    house.supplier.finish()
    assert "ana" not in user
    person = person_of({"name": "ana", "role": "person", "projects": {}}, "key")
    assert person.user == hmac.new(b"key", b"ana", hashlib.sha256).hexdigest()[:32]


def test_nobody_can_be_called_as_the_one_without_login_is() -> None:
    person = person_of({"name": LOCAL.owner, "role": "person", "projects": {}}, "key")
    assert person.owner != LOCAL.owner
    assert person.name == LOCAL.owner


@pytest.mark.parametrize(
    ("wanted", "leads"),
    [
        ("/me", True),
        ("http://127.0.0.1:8081/#/c/12", True),
        ("http://127.0.0.1/", True),
        ("https://127.0.0.1:8081/", False),
        ("http://localhost:8081/", False),
        ("http://evil.example/", False),
        ("//evil.example/", False),
        ("/\\evil.example/", False),
        ("http://127.0.0.1:8081@evil.example/", False),
        ("http://127.0.0.1\t.evil.example/", False),
        ("javascript:alert(1)", False),
        ("http:evil.example", False),
        ("http://", False),
        ("", False),
        ("/" + "a" * 2000, False),
    ],
)
def test_a_login_leads_back_to_its_own_host_only(wanted: str, leads: bool) -> None:
    assert way_back(wanted, "http://127.0.0.1:8080") == (wanted if leads else None)


def test_the_login_goes_where_its_cookie_says_and_no_further(house: House) -> None:
    form = {"name": "root", "password": PASSWORD}
    for wanted, leads in (
        (house.page, house.page),
        ("http://evil.example/", "/me"),
        ("//evil.example/", "/me"),
    ):
        with httpx.Client(base_url=house.service, headers={"Origin": house.service}) as browser:
            page = browser.get("/login", params={"next": wanted})
            policy = page.headers["content-security-policy"]
            assert "evil" not in policy
            assert (house.page in policy) == (leads == house.page)
            answer = browser.post("/login", data=form)
            assert answer.headers["location"] == leads
            assert browser.post("/login", data=form).headers["location"] == "/me"  # used once
