"""The assistant's calls over HTTP: what the page can do, and what nobody can."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from archipel.assistant.history import messages
from archipel.assistant.history.messages import Draft
from tests.assistant.conftest import Assistant
from tests.serve.scripted import ScriptedService

TOO_LONG = (400, {"error": {"message": "too long", "code": "context_length_exceeded"}})


class Talk:
    """A conversation, held by HTTP."""

    def __init__(self, assistant: Assistant, scripted: ScriptedService) -> None:
        self.http = assistant.client()
        self.scripted = scripted
        self.conversation: int | None = None
        self.parent: int | None = None

    def ask(self, text: str, *models: str) -> list[dict[str, Any]]:
        """The answers that begin."""
        asked = {"conversation": self.conversation, "parent": self.parent, "text": text}
        begun = self.http.post("/api/questions", json={**asked, "models": models or ["island"]})
        assert begun.status_code == 200, begun.text
        self.conversation = begun.json()["conversation"]["id"]
        answers: list[dict[str, Any]] = begun.json()["answers"]
        self.parent = answers[-1]["id"]
        return answers

    def answered(self, question: str, text: str) -> dict[str, Any]:
        """A question and its whole answer."""
        [answer] = self.ask(question)
        self.scripted.asked()
        self.scripted.say(text)
        self.scripted.finish()
        whole: dict[str, Any] = self.events(answer["id"])[-1][2]
        return whole

    def events(self, message: int, after: int | None = None) -> list[tuple[str, int, Any]]:
        """What follows an answer to its end: kind, number, data."""
        query = "" if after is None else f"?after={after}"
        found = []
        for event in self.http.get(f"/api/messages/{message}/events{query}").text.split("\n\n"):
            if event:
                fields = dict(line.split(": ", 1) for line in event.split("\n"))
                number, data = int(fields.get("id", 0)), json.loads(fields["data"])
                found.append((fields["event"], number, data))
        return found

    def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.opened()["messages"]
        return found

    def opened(self) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/api/conversations/{self.conversation}").json()
        return found


@pytest.fixture
def talk(assistant: Assistant, scripted: ScriptedService) -> Iterator[Talk]:
    talk = Talk(assistant, scripted)
    yield talk
    talk.http.close()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end


def test_a_question_is_answered_and_kept(talk: Talk, scripted: ScriptedService) -> None:
    whole = talk.answered("What is an\nisland?", "Land in water.")
    assert (whole["text"], whole["status"], whole["model"]) == ("Land in water.", "done", "island")
    assert whole["facts"]["completion_tokens"] == 7
    assert whole["facts"]["ended"] == "stop"
    assert whole["facts"]["seconds"] >= whole["facts"]["first_seconds"] >= 0
    opened = talk.opened()
    assert opened["conversation"]["title"] == "What is an"
    assert opened["conversation"]["shown"] == whole["id"]
    assert [one["role"] for one in opened["messages"]] == ["user", "assistant"]
    talk.ask("And a reef?")
    assert [turn["content"] for turn in scripted.turns()] == [
        "What is an\nisland?",
        "Land in water.",
        "And a reef?",
    ]


def test_pieces_are_numbered_and_followed_from_any_of_them(
    talk: Talk, scripted: ScriptedService
) -> None:
    [answer] = talk.ask("Count")
    scripted.asked()
    for count, piece in enumerate(("one ", "two ", "three"), 1):
        scripted.say(piece)
        until(lambda count=count: talk.messages()[-1].get("pieces") == count)  # type: ignore[misc]
    assert talk.messages()[-1]["text"] == "one two three"
    path, last = f"/api/messages/{answer['id']}/events", {"Last-Event-ID": "1"}
    with talk.http.stream("GET", path, headers=last) as followed:
        lines = (line for line in followed.iter_lines() if line)
        assert [next(lines) for _ in range(3)] == ["id: 3", "event: piece", 'data: "two three"']
        scripted.finish()
        assert next(lines) == "event: end"
        assert json.loads(next(lines).removeprefix("data: "))["text"] == "one two three"
    assert [kind for kind, _, _ in talk.events(answer["id"], after=3)] == ["end"]


def test_a_stopped_answer_keeps_what_came(talk: Talk, scripted: ScriptedService) -> None:
    [answer] = talk.ask("Never end")
    scripted.asked()
    scripted.say("Once upon")
    until(lambda: talk.messages()[-1].get("pieces") == 1)
    stopped = talk.http.post(f"/api/messages/{answer['id']}/stop").json()
    assert (stopped["status"], stopped["text"]) == ("stopped", "Once upon")
    assert scripted.client_left.wait(20)
    again = talk.http.post(f"/api/messages/{answer['id']}/stop").json()
    assert again["status"] == "stopped"


def test_what_failed_says_why_and_is_asked_again_beside_it(
    talk: Talk, scripted: ScriptedService
) -> None:
    scripted.refusal = (503, {"error": {"message": "closed", "code": "provider_unavailable"}})
    [answer] = talk.ask("Anyone?")
    scripted.asked()
    [(kind, _, failed)] = talk.events(answer["id"])
    assert (kind, failed["status"]) == ("end", "failed")
    assert failed["facts"]["error"] == {"code": "provider_unavailable", "message": "closed"}
    scripted.refusal = None
    path = f"/api/messages/{failed['parent']}/answers"
    [other] = talk.http.post(path, json={"models": ["reef"]}).json()["answers"]
    asked = scripted.asked()
    assert asked["model"] == "reef"
    assert asked["messages"][1:] == [{"role": "user", "content": "Anyone?"}]
    assert other["parent"] == failed["parent"]
    scripted.finish()
    assert talk.http.post(
        f"/api/messages/{other['id']}/answers", json={"models": ["reef"]}
    ).is_error


def test_a_connection_that_breaks_fails_the_answer_and_keeps_what_came(
    talk: Talk, scripted: ScriptedService
) -> None:
    [answer] = talk.ask("Go on")
    scripted.asked()
    scripted.say("half")
    scripted.send(ConnectionError("it crashed"))
    end = talk.events(answer["id"])[-1][2]
    assert (end["status"], end["text"]) == ("failed", "half")
    assert end["facts"]["error"]["code"] == "cut_off"


def test_two_models_answer_at_once_and_one_is_chosen(talk: Talk, scripted: ScriptedService) -> None:
    first, second = talk.ask("Compare", "island", "reef")
    assert {scripted.asked()["model"], scripted.asked()["model"]} == {"island", "reef"}
    assert talk.opened()["conversation"]["shown"] == first["parent"] == second["parent"]
    scripted.say("from the reef", to="reef")
    scripted.say("from the island", to="island")
    scripted.finish(to="reef")
    scripted.finish(to="island")
    assert talk.events(first["id"])[-1][2]["text"] == "from the island"
    assert talk.events(second["id"])[-1][2]["text"] == "from the reef"
    path = f"/api/conversations/{talk.conversation}"
    assert talk.http.patch(path, json={"shown": first["id"]}).json()["shown"] == first["id"]


def test_an_edited_question_is_another_branch(talk: Talk, scripted: ScriptedService) -> None:
    talk.answered("Frist", "What?")
    talk.parent = None
    talk.answered("First", "Yes.")
    first, _, edited, answer = talk.messages()
    assert first["parent"] is None
    assert edited["parent"] is None
    assert talk.opened()["conversation"]["shown"] == answer["id"]
    talk.ask("Next")
    assert [turn["content"] for turn in scripted.turns()] == ["First", "Yes.", "Next"]


def test_a_fork_is_a_conversation_of_its_own(talk: Talk) -> None:
    one = talk.answered("First", "Yes.")
    talk.answered("Second", "No.")
    path = f"/api/conversations/{talk.conversation}/fork"
    other = talk.http.post(path, json={"message": one["id"]}).json()["id"]
    assert other != talk.conversation
    found = talk.http.get(f"/api/conversations/{other}").json()["messages"]
    assert [message["text"] for message in found] == ["First", "Yes."]


def test_a_link_shows_the_branch_until_it_is_taken_back(talk: Talk, assistant: Assistant) -> None:
    talk.answered("First", "Yes.")
    path = f"/api/conversations/{talk.conversation}/share"
    token = talk.http.post(path).json()["token"]
    assistant.owner[0] = "somebody else"
    shared = talk.http.get(f"/api/shared/{token}").json()
    assert shared["title"] == "First"
    assert [message["text"] for message in shared["messages"]] == ["First", "Yes."]
    assert talk.http.delete(path).status_code == 404
    assistant.owner[0] = "local"
    assert talk.http.delete(path).status_code == 204
    assert talk.http.get(f"/api/shared/{token}").status_code == 404


def test_the_oldest_turns_are_left_out_until_it_fits(talk: Talk, scripted: ScriptedService) -> None:
    for count in range(4):
        talk.answered(f"question {count}", f"answer {count}")
    scripted.refusal, scripted.fits = TOO_LONG, 6  # with what the model is told first
    [answer] = talk.ask("last")
    assert [len(scripted.turns()) for _ in range(3)] == [9, 7, 5]
    scripted.say("Here.")
    scripted.finish()
    assert talk.events(answer["id"])[-1][2]["facts"]["left_out"] == 4


def test_what_never_fits_fails(talk: Talk, scripted: ScriptedService) -> None:
    scripted.refusal = TOO_LONG
    [answer] = talk.ask("long " * 1000)
    failed = talk.events(answer["id"])[-1][2]
    assert failed["facts"]["error"]["code"] == "context_length_exceeded"


def test_what_grew_when_the_assistant_ended_is_cut_off(
    assistant_over: Callable[..., Assistant], scripted: ScriptedService
) -> None:
    before = assistant_over(scripted.url)
    id_ = before.tell("Go on")
    with before.database.writing() as connection:
        [question] = messages.all_of(connection, "local", id_)
        draft = Draft(role="assistant", text="half", status="growing", model="island")
        answer = messages.add(connection, id_, question.id, draft, 1.0).id
    after = assistant_over(scripted.url)
    with after.client() as http:
        [_, message] = http.get(f"/api/conversations/{id_}").json()["messages"]
        assert (message["status"], message["text"]) == ("failed", "half")
        assert "event: end" in http.get(f"/api/messages/{answer}/events").text


def test_the_list_comes_in_pages_with_the_pinned_ones_first(
    talk: Talk, assistant: Assistant
) -> None:
    ids = [assistant.tell("a", title=f"talk {day}", days_ago=9 - day) for day in range(9)]
    folder = talk.http.post("/api/folders", json={"name": "Work"}).json()["id"]
    talk.http.patch(f"/api/conversations/{ids[0]}", json={"pinned": True, "title": "  a  b "})
    moved = talk.http.patch(f"/api/conversations/{ids[1]}", json={"folder": folder}).json()
    assert moved["folder"] == folder

    def listed(**query: object) -> dict[str, Any]:
        found: dict[str, Any] = talk.http.get("/api/conversations", params=query).json()  # type: ignore[arg-type]
        return found

    first = listed(limit=5)
    assert [one["id"] for one in first["conversations"]] == ids[:3:-1]
    assert [one["title"] for one in first["pinned"]] == ["a b"]
    last = first["conversations"][-1]
    rest = listed(limit=5, before=f"{last['changed']},{last['id']}")
    assert [one["id"] for one in rest["conversations"]] == ids[3::-1]
    assert [one["id"] for one in listed(folder=folder)["conversations"]] == [ids[1]]
    assert ids[1] not in [one["id"] for one in listed(folder=0)["conversations"]]
    assert talk.http.delete(f"/api/folders/{folder}").status_code == 204
    assert ids[1] in [one["id"] for one in listed(folder=0)["conversations"]]


def test_words_are_found_in_titles_and_messages(talk: Talk, assistant: Assistant) -> None:
    id_ = assistant.tell("Où est le château ?", "Sur l'île.", title="Vacances d'été")
    [hit] = talk.http.get("/api/search", params={"q": "ile"}).json()["hits"]
    assert (hit["conversation"], hit["piece"][1]) == (id_, "île")
    [hit] = talk.http.get("/api/search", params={"q": "ETE"}).json()["hits"]
    assert hit["message"] is None
    assert talk.http.delete(f"/api/conversations/{id_}").status_code == 204
    assert talk.http.get("/api/search", params={"q": "ile"}).json()["hits"] == []


def test_another_persons_things_are_not_there(talk: Talk, assistant: Assistant) -> None:
    answer = talk.answered("Mine", "Yes.")
    folder = talk.http.post("/api/folders", json={"name": "Work"}).json()["id"]
    assistant.owner[0] = "somebody else"
    conversation = f"/api/conversations/{talk.conversation}"
    message = f"/api/messages/{answer['id']}"
    asked = {"conversation": talk.conversation, "parent": None, "text": "x", "models": ["island"]}
    for method, path, body in (
        ("GET", conversation, None),
        ("PATCH", conversation, {"title": "theirs"}),
        ("DELETE", conversation, None),
        ("POST", f"{conversation}/fork", {"message": answer["id"]}),
        ("POST", f"{conversation}/share", None),
        ("GET", f"{message}/events", None),
        ("POST", f"{message}/stop", None),
        ("POST", f"/api/messages/{answer['parent']}/answers", {"models": ["island"]}),
        ("POST", "/api/questions", asked),
        ("PATCH", f"/api/folders/{folder}", {"name": "theirs"}),
        ("DELETE", f"/api/folders/{folder}", None),
    ):
        refused = talk.http.request(method, path, json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found"), path
    assert talk.http.get("/api/conversations").json() == {"conversations": [], "pinned": []}
    assert talk.http.get("/api/search", params={"q": "mine"}).json()["hits"] == []


def test_a_message_of_another_conversation_is_no_parent(talk: Talk, assistant: Assistant) -> None:
    answer = talk.answered("Mine", "Yes.")
    other = assistant.tell("a")
    asked = {"conversation": other, "parent": answer["id"], "text": "x", "models": ["island"]}
    assert talk.http.post("/api/questions", json=asked).status_code == 404
    shown = talk.http.patch(f"/api/conversations/{other}", json={"shown": answer["id"]})
    assert shown.status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"text": ""},
        {"text": "x" * 1_000_001},
        {"models": []},
        {"models": ["island"] * 5},
        {"conversation": "1"},
        {"more": 1},
    ],
)
def test_a_question_out_of_bounds_is_refused(
    talk: Talk, scripted: ScriptedService, change: dict[str, object]
) -> None:
    asked = {"conversation": None, "parent": None, "text": "Hi", "models": ["island"], **change}
    refused = talk.http.post("/api/questions", json=asked)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"]
    assert scripted.requests.empty()
    assert talk.http.get("/api/conversations").json()["conversations"] == []


def test_bodies_and_numbers_have_limits(talk: Talk) -> None:
    for content, status in (("{bad", 400), (" " * ((4 << 20) + 1), 413)):
        assert talk.http.post("/api/questions", content=content).status_code == status
    for query in ("limit=201", "limit=x", "before=x", "before=1", "folder=-1", f"folder={1 << 60}"):
        assert talk.http.get(f"/api/conversations?{query}").status_code == 400, query
    assert talk.http.get("/api/conversations/99").status_code == 404


def test_only_the_assistants_own_page_may_change_things(
    assistant: Assistant, scripted: ScriptedService
) -> None:
    id_ = assistant.tell("a", title="kept")
    asked = {"conversation": None, "parent": None, "text": "Hi", "models": ["island"]}
    for headers in (
        {},
        {"Origin": "http://attacker.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        for method, path, body in (
            ("POST", "/api/questions", asked),
            ("PATCH", f"/api/conversations/{id_}", {"title": "changed"}),
            ("DELETE", f"/api/conversations/{id_}", None),
            ("POST", f"/api/conversations/{id_}/share", None),
            ("POST", "/api/folders", {"name": "theirs"}),
        ):
            url = f"{assistant.url}{path}"
            refused = httpx.request(method, url, json=body, headers=headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    assert httpx.get(assistant.url, headers={"Host": "attacker.example"}).status_code == 400
    with assistant.client() as http:
        assert http.get(f"/api/conversations/{id_}").json()["conversation"]["title"] == "kept"
    assert scripted.requests.empty()


def test_the_page_comes_with_a_strict_policy(assistant: Assistant) -> None:
    page = httpx.get(assistant.url)
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
    for path in ("/icon.svg", "/languages/en.json", "/api/models", "/nothing"):
        headers = httpx.get(f"{assistant.url}{path}").headers
        assert headers["content-security-policy"] == page.headers["content-security-policy"]
    for path in ("/", "/icon.svg", "/main.js", "/styles/page.css", "/api/models"):
        headers = httpx.get(f"{assistant.url}{path}").headers
        assert (headers["x-content-type-options"], headers["cache-control"]) == (
            *("nosniff", "no-cache"),
        )
    for path in ("/%2e%2e/app.py", "/..%2fapp.py", "/languages/%2e%2e/%2e%2e/app.py", "/static/"):
        assert httpx.get(f"{assistant.url}{path}").status_code == 404
