"""The admin page in Chromium, over a real service: what people do with it, and what they can't."""

import json
import re
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import httpx
from openai import AuthenticationError, RateLimitError
from openai.types.chat import ChatCompletionUserMessageParam
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from archipel.serve.accounts.administer import NewKey, Office
from archipel.serve.accounts.tables import audit
from tests.serve.admin.conftest import MARKUP, PASSWORD, OpenPage, Served

STATIC = Path(str(files("archipel.serve.admin") / "static"))
_HI = ChatCompletionUserMessageParam(role="user", content="Hi")
PARTS = ("usage", "keys", "projects", "suppliers", "audit", "people")


def office(served: Served, act: Callable[[Office], object]) -> object:
    with served.database.writing() as connection:
        return act(Office(connection, "tester", time.time()))


def ask(served: Served, key: str, model: str = "chat") -> str:
    with served.client(key) as client:
        answer = client.chat.completions.create(model=model, messages=[_HI])
    return str(answer.choices[0].message.content)


def opens(served: Served, key: str) -> bool:
    """Whether a key still opens something, be its limit reached."""
    try:
        ask(served, key)
    except AuthenticationError:
        return False
    except RateLimitError:
        pass
    return True


def used(served: Served, name: str, requests: int) -> None:
    """Wait until the books have it that somebody sees so many requests."""
    until = time.monotonic() + 20
    while served.ask(name, "usage").json()["all"]["requests"] < requests:
        assert time.monotonic() < until


def visit(page: Page, part: str) -> None:
    page.evaluate("part => { location.hash = `#/${part}`; }", part)
    expect(page.locator(f"main .view[data-part={part.split('?')[0]}]")).to_be_visible()


def make_key(page: Page, name: str, project: str) -> str:
    page.get_by_role("button", name="New key").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill(name)
    dialog.get_by_label("Project", exact=True).fill(project)
    dialog.get_by_role("button", name="Make").click()
    expect(dialog.get_by_text("it is shown this once")).to_be_visible()
    secret = dialog.get_by_label("Key", exact=True).input_value()
    dialog.get_by_role("button", name="Done").click()
    return secret


def test_the_first_day_of_an_administrator(browser: Browser, served: Served) -> None:
    page = browser.new_page(locale="en-US")
    page.goto(f"{served.url}/admin")
    page.get_by_label("Name", exact=True).fill("root")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/(me|admin)"))
    page.goto(f"{served.url}/admin/")
    expect(page.get_by_text("Nothing was used.")).to_be_visible()

    page.get_by_role("link", name="Projects").click()
    page.get_by_role("button", name="New project").last.click()
    page.get_by_label("Name", exact=True).fill("website")
    page.get_by_label("Organisation").fill("ours")
    page.get_by_role("button", name="Make").click()
    expect(page.get_by_role("heading", name="website")).to_be_visible()
    page.get_by_role("link", name="Keys", exact=True).click()
    secret = make_key(page, "ci", "website")
    assert ask(served, secret) == "Hello"
    assert ask(served, secret) == "Hello"
    expect(page.get_by_role("row", name=re.compile("ci.*website.*In use"))).to_be_visible()
    assert secret not in page.content()

    used(served, "root", 2)
    page.get_by_role("link", name="Usage").click()
    expect(page.get_by_role("button", name=re.compile("Requests 2"))).to_be_visible()
    page.get_by_role("button", name=re.compile("^Tokens")).click()
    expect(page.get_by_role("img", name=re.compile("^Tokens over time"))).to_be_visible()
    expect(page.locator(".chart title", has_text="2,400")).to_have_count(1)
    page.get_by_role("button", name="Key", exact=True).click()
    expect(page.get_by_role("row", name=re.compile(f"ci · {secret[:13]}"))).to_be_visible()

    page.get_by_role("link", name="Keys", exact=True).click()
    page.get_by_role("link", name=re.compile("^ci")).click()
    page.get_by_role("button", name="Limits").click()
    page.get_by_role("button", name="Add a limit").click()
    page.get_by_label("At most").fill("2")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("0 of 2")).to_be_visible()
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.locator(".title").get_by_text("Revoked")).to_be_visible()
    until = time.monotonic() + 10
    while opens(served, secret):
        assert time.monotonic() < until

    page.get_by_role("link", name="Audit").click()
    expect(page.get_by_text(re.compile(r"^\d+ rows, each as it was written"))).to_be_visible()
    row = page.get_by_role("row", name=re.compile("person:root"))
    expect(row.filter(has_text="Revoked a key").filter(has_text=secret[:13])).to_have_count(1)
    expect(row.filter(has_text="Made a project").filter(has_text="website")).to_have_count(1)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    page.context.close()


def test_a_drained_supplier_is_not_asked_and_a_dead_one_is_seen(
    open_page: OpenPage, served: Served
) -> None:
    office(served, lambda its: its.add_project("drains", "ours"))
    key = served.act("root", "keys/new", {"name": "k", "project": "drains"}).json()["secret"]
    page = open_page("root", "suppliers")
    first = page.locator(".supplier").filter(has=page.get_by_role("heading", name="first"))
    first.get_by_role("button", name="Drain").click()
    page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    expect(first).to_contain_text("Drained")
    with served.client(key) as client:
        raw = client.chat.completions.with_raw_response
        answer = raw.create(model="chat", messages=[_HI])
    assert answer.headers["x-archipel-provider"] == "second"

    first.get_by_role("button", name="Ask it again").click()
    page.get_by_role("dialog").get_by_role("button", name="Ask it again").click()
    expect(first).to_contain_text("Healthy")
    served.kill_first()
    for _ in range(5):
        assert ask(served, key) == "Hello"  # by the second
    page.reload()
    expect(first).to_contain_text("Left alone")
    expect(first.locator(".breakers")).to_contain_text("5 failures in a row")
    expect(first.get_by_text(re.compile("[1-9][0-9]*% failed"))).to_be_visible()
    route = page.get_by_role("row", name=re.compile("^chat"))
    expect(route.get_by_role("img", name="Left alone")).to_have_count(1)


def test_french(open_page: OpenPage) -> None:
    page = open_page("root", "keys", locale="fr-FR")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_role("heading", name="Clés")).to_be_visible()
    for name in ("Usage", "Projets", "Fournisseurs", "Journal", "Personnes"):
        page.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    page.get_by_label("Langue").select_option("en")
    expect(page.get_by_role("heading", level=1, name="People")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", level=1, name="People")).to_be_visible()


def test_an_auditor_sees_all_and_changes_nothing(open_page: OpenPage, served: Served) -> None:
    office(served, lambda its: its.add_project("audited", "ours"))
    office(served, lambda its: its.add_key(NewKey("read me", "audited"), b"pepper"))
    page = open_page("auditor")
    for part in PARTS:
        visit(page, part)
        changes = re.compile("New|Make|Drain|Limits|Change|Revoke")
        expect(page.get_by_role("button", name=changes)).to_have_count(0)
    id = served.ask("auditor", "keys?search=read+me").json()["keys"][0]["id"]
    for path, form in (
        ("projects/new", {"name": "mine", "organisation": "mine"}),
        ("keys/new", {"name": "mine", "project": "audited"}),
        (f"keys/{id}/revoke", {}),
        (f"keys/{id}/limits", {"limits": ["requests/day=1"]}),
        ("limits", {"whom": "project:audited", "limits": ["requests/day=1"]}),
        ("suppliers/drain", {"name": "second"}),
        ("people/new", {"name": "mine", "role": "admin"}),
        ("people/role", {"name": "auditor", "role": "admin"}),
    ):
        refused = served.act("auditor", path, form)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden"), path


def test_a_manager_sees_one_project_only(open_page: OpenPage, served: Served) -> None:
    office(served, lambda its: its.add_project("theirs", "others"))
    office(served, lambda its: its.add_project("own", "ours"))
    other = served.act("root", "keys/new", {"name": "hidden", "project": "theirs"}).json()
    ask(served, other["secret"], MARKUP)
    served.add_person("manager", "person", {"own": "manager"})
    page = open_page("manager", "keys")
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_text(
        ["Usage", "Keys", "Projects"]
    )
    page.get_by_role("button", name="New key").first.click()
    page.get_by_label("Name", exact=True).fill("mine")
    expect(page.get_by_label("Project")).to_have_text("own")
    page.get_by_role("button", name="Make").click()
    secret = page.get_by_role("dialog").get_by_label("Key", exact=True).input_value()
    page.get_by_role("button", name="Done").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    ask(served, secret, MARKUP)
    used(served, "manager", 1)
    page.get_by_role("link", name="Usage").click()
    expect(page.get_by_role("button", name=re.compile("Requests 1"))).to_be_visible()

    hidden = served.ask("root", "keys?search=hidden").json()["keys"][0]["id"]
    assert served.ask("manager", f"keys/{hidden}").status_code == 404
    assert served.act("manager", f"keys/{hidden}/revoke", {}).status_code == 404
    made = served.act("manager", "keys/new", {"name": "no", "project": "theirs"})
    assert made.status_code == 404
    assert (
        made.json()
        == served.act("manager", "keys/new", {"name": "no", "project": "nowhere"}).json()
    )
    assert [one["name"] for one in served.ask("manager", "projects").json()["projects"]] == ["own"]
    assert served.ask("manager", "usage?by=project&project=theirs").json()["all"]["requests"] == 0
    month = time.strftime("%Y-%m", time.gmtime())
    lines = served.ask("manager", f"usage.csv?month={month}").text.splitlines()
    assert len(lines) == 2
    assert secret[:13] in lines[1]
    for path in ("audit", "audit/verified", "people", "suppliers", "routes", "models"):
        assert served.ask("manager", path).status_code == 403, path


def test_names_are_text_wherever_they_are_shown(open_page: OpenPage, served: Served) -> None:
    project, name = "<svg><script>document.title", "<b>bold</b><iframe>"
    office(served, lambda its: its.add_project(project, name))
    made = served.act(
        "root", "keys/new", {"name": name, "project": project, "models": [MARKUP]}
    ).json()
    ask(served, made["secret"], MARKUP)
    seen = {
        "usage?by=model": MARKUP,
        "usage?by=project": project,
        "usage?by=key": name,
        f"usage?project_name={name}&project={project}": name,
        "keys": MARKUP,
        "projects": project,
        "suppliers": MARKUP,
        "audit": project,
    }
    used(served, "root", 1)
    page = open_page("root")
    for part, text in seen.items():
        visit(page, part)
        expect(page.locator("main").get_by_text(text).locator("visible=true").first).to_be_visible()
        elements = "main script, main iframe, main b, main img[src]"
        expect(page.locator(elements)).to_have_count(0)
        assert page.title().endswith("Archipel")


def test_only_the_page_itself_may_act(served: Served) -> None:
    form = {"name": "forged", "organisation": "ours"}
    for headers in (
        {"Origin": "http://attacker.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert served.act("root", "projects/new", form, **headers).status_code == 403
    assert served.ask("root", "projects?search=forged").json()["total"] == 0
    policy = served.ask("root", "me").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_thousands_of_keys_are_searched_by_the_service(open_page: OpenPage, served: Served) -> None:
    def add(its: Office) -> None:
        its.add_project("large", "ours")
        for number in range(1200):
            its.add_key(NewKey(f"robot {number}", "large"), b"pepper")

    office(served, add)
    page = open_page("root", "keys?project=large")
    expect(page.locator("tbody tr")).to_have_count(50)
    expect(page.get_by_text("1–50 of 1200")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("51–100 of 1200")).to_be_visible()
    page.get_by_label("Search keys").fill("ROBOT 1199")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_label("Search keys")).to_be_focused()
    page.get_by_label("Search keys").fill("%")
    expect(page.get_by_text("No key is like that.")).to_be_visible()


def test_the_keyboard_is_enough_and_a_phone_too(open_page: OpenPage) -> None:
    page = open_page("root", "keys")
    page.get_by_role("button", name="New key").first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page = open_page("root", width=360)
    for part in PARTS:
        visit(page, part)
        wide = "document.documentElement.scrollWidth - innerWidth"
        assert page.evaluate(wide) <= 0, part


def test_what_goes_wrong_is_said(open_page: OpenPage) -> None:
    page = open_page("root", "projects")
    page.get_by_role("button", name="New project").last.click()
    page.get_by_label("Name", exact=True).fill("a:b")
    page.get_by_role("button", name="Make").click()
    expect(page.get_by_role("alert")).to_contain_text("'a:b' is no name.")
    page.keyboard.press("Escape")
    page.route("**/api/keys*", lambda route: route.abort())
    page.get_by_role("link", name="Keys", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer.")
    page.unroute("**/api/keys*")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()


def test_people_are_added_and_let_into_projects(open_page: OpenPage, served: Served) -> None:
    office(served, lambda its: its.add_project("joined", "ours"))
    page = open_page("root", "people")
    page.get_by_role("button", name="New person").click()
    page.get_by_label("Name", exact=True).fill("marie")
    page.get_by_role("button", name="Make").click()
    password = page.get_by_role("dialog").get_by_label("Password").input_value()
    page.get_by_role("button", name="Done").click()
    row = page.get_by_role("row", name=re.compile("^marie"))
    row.get_by_role("button", name="Change").click()
    page.get_by_label("Project").fill("joined")
    page.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("joined · member")
    served.cookie("marie", password)
    assert served.ask("marie", "me").json()["projects"] == {"joined": "member"}
    assert served.ask("marie", "keys").json()["total"] == 0
    myself = served.act("root", "people/disable", {"name": "root"})
    assert (myself.status_code, myself.json()["error"]["param"]) == (400, "name")


def test_an_altered_audit_log_is_shouted(open_page: OpenPage, served: Served) -> None:
    first = audit.c.number == 1

    def alter(actor: str) -> str:
        with served.database.writing() as connection:
            before = connection.execute(select(audit.c.actor).where(first)).scalar_one()
            connection.execute(audit.update().where(first).values(actor=actor))
        return str(before)

    with served.database.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_no_update")
    true = alter("nobody")
    expect(open_page("auditor", "audit").get_by_role("alert")).to_contain_text(
        "Row 1 is missing or was altered."
    )
    alter(true)
    expect(open_page("auditor", "audit").get_by_text("each as it was written")).to_be_visible()


def test_what_can_not_be_asked_is_refused_by_name(served: Served) -> None:
    for path, param in (
        ("usage?by=secret", "by"),
        ("usage?measure=digest", "measure"),
        ("usage?key=-1", "key"),
        ("usage?first=yesterday", "first and last"),
        ("usage?first=2026-01-02&last=2026-01-01", None),
        ("usage?first=0001-01-01&last=9999-12-31", None),
        ("usage?project=%00", "project"),
        ("keys?state=open", "state"),
        ("keys?offset=-1", "offset"),
        ("keys?offset=99999999999999999999", "offset"),
        ("keys?search=%00", "search"),
        ("audit?before=x", "before"),
        ("usage.csv?month=2026-13", "month"),
    ):
        answer = served.ask("root", path)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), path
    for path in ("keys/99999999999999999999", "keys/0", "nothing"):
        assert served.ask("root", path).status_code == 404
    forms: list[object] = [
        {"name": "a\0b", "organisation": "ours"},
        {"name": "a"},
        {"name": 1, "organisation": "ours"},
        {"name": "a", "organisation": "ours", "more": 1},
        [],
    ]
    for form in forms:
        assert served.act("root", "projects/new", form).status_code == 400
    assert httpx.get(f"{served.url}/admin/api/me").status_code == 401


def test_both_languages_have_all_words_of_the_page() -> None:
    words = {file.stem: json.loads(file.read_text()) for file in STATIC.glob("languages/*.json")}
    assert words["en"].keys() == words["fr"].keys()
    for key, english in words["en"].items():
        holes = re.findall(r"\{\w+\}", english)
        assert sorted(holes) == sorted(re.findall(r"\{\w+\}", words["fr"][key])), key
    scripts = "".join(file.read_text() for file in STATIC.rglob("*.js"))
    said = set(re.findall(r'say\("(\w+)"', scripts))
    counted = set(re.findall(r'sayCount\("(\w+)"', scripts))
    said |= {f"{word}_{form}" for word in counted for form in ("one", "other")}
    said |= set(re.findall(r'(?:button|empty|field|folded|searchField|secret)\("(\w+)"', scripts))
    said |= {f"tab_{part}" for part in PARTS}
    assert said <= words["en"].keys(), said - words["en"].keys()


def test_every_act_of_the_audit_log_has_a_word() -> None:
    source = STATIC.parents[1]
    text = "".join(file.read_text() for file in source.rglob("*.py"))
    acts = set(re.findall(r'record\(\s*"([a-z_.]+)"', text))
    acts |= set(re.findall(r'audit\.record\([^"]*"([a-z_.]+)"', text))
    assert {"key.add", "provider.drain", "person.login"} <= acts
    words = json.loads((STATIC / "languages/en.json").read_text())
    assert {f"act_{act}" for act in acts} <= words.keys()
