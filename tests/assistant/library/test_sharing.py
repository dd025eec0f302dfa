"""Collections shared within a project: who may do what, and that others learn nothing."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.assistant.actions.conftest import Ruled
from tests.assistant.library.conftest import BOAT
from tests.assistant.library.project import PROJECT, Project, project_over

QUESTION = "When does the boat call?"


@pytest.fixture
def project(own_home: Path, url: str, ruled: Ruled) -> Iterator[Project]:
    """The people, over SQLite and over PostgreSQL."""
    ruled.rule = lambda _: f'It says: "{BOAT}" [1]'
    with project_over(url, ruled.url) as found:
        yield found


def test_each_may_what_their_role_says(project: Project, files: dict[str, Path]) -> None:
    collection = project.shared()
    document = project.browsers["ana"].add(collection, files["md"])["id"]
    one = f"collections/{collection}"
    calls = {
        ("GET", f"{one}/documents"): (200, 200, 404),
        ("GET", f"documents/{document}/file"): (200, 200, 404),
        ("GET", f"documents/{document}/place?spans=0-0-4"): (200, 200, 404),
        ("POST", f"{one}/documents"): (403, 200, 404),
        ("PATCH", one): (403, 403, 404),
        ("PUT", f"{one}/share"): (403, 403, 404),
        ("DELETE", f"{one}/share"): (403, 403, 404),
        ("DELETE", one): (403, 403, 404),
        ("DELETE", f"documents/{document}"): (403, 204, 404),
    }
    bodies = {"PATCH": {"name": "Mine"}, "PUT": {"project": "harbour"}}
    for (method, path), statuses in calls.items():
        for name, status in zip(("ben", "cyd", "eve", "root"), (*statuses, 404), strict=True):
            browser = project.browsers[name]
            if method == "POST":
                answer = browser.send(collection, f"{name}.md", b"# New")
            else:
                answer = project.call(name, method, path, bodies.get(method))
            assert answer.status_code == status, (name, method, path, answer.text)
    assert [one["name"] for one in project.collections("ana")] == ["Lighthouse"]
    listed = project.call("ana", "GET", f"{one}/documents").json()["documents"]
    assert [one["name"] for one in listed] == ["cyd.md"]


def test_each_sees_who_shares_what_and_their_own_projects(project: Project) -> None:
    collection = project.shared()
    own = {"id": collection, "name": "Lighthouse", "project": PROJECT}
    for name, its in (
        ("ana", [{**own, "owner": None, "may": "own"}]),
        ("ben", [{**own, "owner": "ana", "may": "read"}]),
        ("cyd", [{**own, "owner": "ana", "may": "edit"}]),
        ("eve", []),
        ("root", []),
    ):
        assert project.collections(name) == its
    told = project.call("ana", "GET", "collections").json()["projects"]
    assert told == ["harbour", PROJECT]
    assert project.browsers["ben"].collection("Lighthouse")  # a name is one's own


def test_a_member_asks_and_opens_what_is_cited_and_others_do_not(
    project: Project, ruled: Ruled, files: dict[str, Path]
) -> None:
    collection = project.shared()
    project.browsers["ana"].add(collection, files["md"])
    ben, eve = project.browsers["ben"], project.browsers["eve"]
    [citation] = ben.ask(QUESTION, collection)["facts"]["citations"]
    assert ben.place(citation).status_code == 200
    assert eve.place(citation).status_code == 404
    asked = {"conversation": None, "parent": None, "text": QUESTION, "models": ["island"]}
    refused = project.call("eve", "POST", "questions", {**asked, "documents": [collection]})
    assert refused.status_code == 404
    assert len(ruled.asked) == 1


def test_what_is_shared_with_others_is_told_as_what_is_not_there(project: Project) -> None:
    there, nowhere = project.shared(), 999_999
    for method, path in (
        ("GET", "collections/{}/documents"),
        ("PUT", "collections/{}/share"),
        ("DELETE", "collections/{}/share"),
        ("DELETE", "collections/{}"),
    ):
        body = {"project": "harbour"} if method == "PUT" else None
        one, other = (
            project.call("eve", method, path.format(id_), body) for id_ in (there, nowhere)
        )
        assert one.status_code == other.status_code == 404
        assert one.text.replace(str(there), "N") == other.text.replace(str(nowhere), "N")


def test_whoever_leaves_the_project_or_is_not_shared_with_any_more_loses_it_at_once(
    project: Project, files: dict[str, Path]
) -> None:
    collection = project.shared()
    document = project.browsers["ana"].add(collection, files["md"])["id"]
    ben, cyd = project.browsers["ben"], project.browsers["cyd"]
    begun = ben.begin(QUESTION, documents=[collection])
    [citation] = ben.whole(begun["answers"][0]["id"])["facts"]["citations"]
    cyd.ask(QUESTION, collection)

    def gone(name: str) -> None:
        assert project.collections(name) == []
        assert project.browsers[name].place(citation).status_code == 404
        for path in (f"collections/{collection}/documents", f"documents/{document}/file"):
            assert project.call(name, "GET", path).status_code == 404

    project.leave("ben")
    gone("ben")
    where = f"messages/{begun['question']['id']}/answers"
    again = project.call("ben", "POST", where, {"models": ["island"]}).json()["answers"][0]
    assert ben.whole(again["id"])["status"] == "failed"
    assert len(project.collections("cyd")) == 1
    assert project.call("ana", "DELETE", f"collections/{collection}/share").status_code == 200
    gone("cyd")
    [own] = project.collections("ana")
    assert (own["may"], own["project"]) == ("own", None)


def test_one_shares_with_a_project_of_ones_own_only(project: Project) -> None:
    made, other = project.browsers["eve"].collection(), project.shared()
    told = [
        project.call("eve", "PUT", f"collections/{made}/share", {"project": name})
        for name in (PROJECT, "no such")
    ]
    assert [answer.status_code for answer in told] == [400, 400]
    assert told[0].text.replace(PROJECT, "no such") == told[1].text
    moved = project.call("ana", "PUT", f"collections/{other}/share", {"project": "harbour"})
    assert moved.json()["project"] == "harbour"
    assert project.collections("ben") == []
    assert {one["id"] for one in project.collections("eve")} == {made, other}
    project.leave("ana")  # what she shared stays so, until she takes it back
    assert len(project.collections("eve")) == 2
    assert project.call("ana", "DELETE", f"collections/{other}/share").status_code == 200
    assert len(project.collections("eve")) == 1


def test_two_people_do_not_replace_one_name_at_once(
    project: Project, files: dict[str, Path]
) -> None:
    collection = project.shared()
    start = threading.Barrier(2)

    def send(name: str) -> int:
        start.wait()
        return project.browsers[name].send(collection, "leave.pdf", data[name]).status_code

    data = {"ana": files["pdf"].read_bytes(), "cyd": files["docx"].read_bytes()}
    with ThreadPoolExecutor() as pool:
        statuses = sorted(pool.map(send, data))
    assert statuses in ([200, 409], [200, 200])  # the other while it is read, or after it
    [document] = project.call("ben", "GET", f"collections/{collection}/documents").json()[
        "documents"
    ]
    assert document["status"] == "ready"
    file = project.call("ben", "GET", f"documents/{document['id']}/file").content
    assert file in data.values()
