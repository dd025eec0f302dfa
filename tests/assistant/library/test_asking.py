"""Questions to one's documents, over HTTP: what is kept is what stands in them."""

import json
from pathlib import Path

from tests.assistant.actions.conftest import Ruled
from tests.assistant.conftest import Assistant
from tests.assistant.library.conftest import BOAT, LAMP, LEAVE, Asking

QUESTION = "How many days of paid leave does a keeper have?"


def test_an_answer_cites_what_stands_there(
    asking: Asking, ruled: Ruled, files: dict[str, Path]
) -> None:
    collection = asking.collection()
    documents = {kind: asking.add(collection, path) for kind, path in files.items()}
    number = "twenty-eight days of paid leave"

    def rule(prompt: str) -> str:
        place = next(n for n in "123" if f"[{n}] Leave" in prompt or f"[{n}] leave" in prompt)
        return f'They have "{number}" [{place}], it says.'

    ruled.rule = rule
    answer = asking.ask(QUESTION, collection)
    [prompt] = ruled.prompts
    assert LEAVE in prompt
    assert prompt.endswith(f"Question: {QUESTION}")
    assert answer["text"] == f'They have "{number}" [1], it says.'
    [citation] = answer["facts"]["citations"]
    assert (citation["document"], citation["name"]) == (documents["docx"]["id"], "leave.docx")
    assert (citation["mark"], citation["quote"]) == (1, number)
    [[start, end, mark]] = answer["facts"]["marks"]
    assert (answer["text"][start:end], mark) == ("[1]", 1)
    assert answer["facts"]["unverified"] == 0
    blocks = asking.place(citation).json()["blocks"]
    marked = [text for block in blocks for text, is_marked in block["pieces"] if is_marked]
    assert marked == [number]
    assert "nearest" not in answer["facts"]


def test_words_that_stand_nowhere_lose_their_number(
    asking: Asking, ruled: Ruled, files: dict[str, Path]
) -> None:
    collection = asking.collection()
    asking.add(collection, files["docx"])
    ruled.rule = lambda _: 'They have "ninety days of leave" [1].'
    answer = asking.ask(QUESTION, collection)
    assert answer["text"] == 'They have "ninety days of leave".'
    assert answer["facts"]["citations"] == answer["facts"]["marks"] == []
    assert answer["facts"]["unverified"] == 1
    [near, *_] = answer["facts"]["nearest"]
    assert near["quote"] == LEAVE


def test_an_answer_that_quotes_nothing_has_the_nearest_sentences(
    asking: Asking, ruled: Ruled, files: dict[str, Path]
) -> None:
    collection = asking.collection()
    asking.add(collection, files["pdf"])
    ruled.rule = lambda _: "Je crois que oui."
    question = "Combien de litres de pétrole la lampe du phare brûle-t-elle par nuit ?"
    answer = asking.ask(question, collection)
    assert ruled.prompts[0].startswith("Réponds à la question")
    [near] = answer["facts"]["nearest"]
    assert near["quote"] == LAMP
    assert near["anchor"]["page"] == 2
    page = asking.place(near, "page")
    assert page.headers["content-type"] == "image/png"
    assert page.content.startswith(b"\x89PNG")
    assert page.headers["x-boxes"].startswith("[[")


def test_not_in_your_documents_is_an_answer(
    asking: Asking, ruled: Ruled, files: dict[str, Path]
) -> None:
    collection = asking.collection()
    asking.add(collection, files["md"])
    ruled.rule = lambda _: "Not in your documents."
    answer = asking.ask("How often does the boat call at night?", collection)
    assert answer["facts"]["absent"]
    assert "nearest" not in answer["facts"]
    asked = len(ruled.asked)
    answer = asking.ask("Zwiebelkuchen?", collection)
    assert (answer["text"], answer["status"]) == ("Not in your documents.", "done")
    assert answer["facts"]["absent"]
    assert len(ruled.asked) == asked  # no passage: no model is asked


def test_another_answer_and_an_edited_question_ask_the_same_documents(
    asking: Asking, ruled: Ruled, files: dict[str, Path]
) -> None:
    collection = asking.collection()
    asking.add(collection, files["md"])
    ruled.rule = lambda _: f'It says: "{BOAT}" [1]'
    begun = asking.begin("When does the boat call?", documents=[collection])
    first = asking.whole(begun["answers"][0]["id"])
    where = f"/api/messages/{begun['question']['id']}/answers"
    again = asking.http.post(where, json={"models": ["reef"]}).json()
    assert again["question"]["facts"] == {"documents": [collection]}
    second = asking.whole(again["answers"][0]["id"])
    assert second["facts"]["citations"] == first["facts"]["citations"]
    assert len(first["facts"]["citations"]) == 1
    conversation = begun["conversation"]["id"]
    fork = f"/api/conversations/{conversation}/fork"
    copied = asking.http.post(fork, json={"message": first["id"]}).json()["id"]
    messages = asking.http.get(f"/api/conversations/{copied}").json()["messages"]
    assert messages[0]["facts"] == {"documents": [collection]}
    assert messages[1]["facts"]["citations"] == first["facts"]["citations"]


def test_passages_are_halved_until_they_fit(asking: Asking, ruled: Ruled, tmp_path: Path) -> None:
    collection = asking.collection()
    notes = "\n\n".join(f"# Lamp {n}\n\n" + f"The lamp {n} burns oil. " * 60 for n in range(8))
    path = tmp_path / "lamps.md"
    path.write_text(notes)
    asking.add(collection, path)
    ruled.context, ruled.rule = 4_000, lambda _: "Oil."
    answer = asking.ask("What does the lamp burn?", collection)
    assert (answer["status"], answer["text"]) == ("done", "Oil.")
    assert 0 < answer["facts"]["passages"] < 6
    ruled.told["island"] = {"context_length": 1_000}
    ruled.context = 1_000_000
    asking.http.get("/api/models")
    asking.ask("What does the lamp burn?", collection)
    assert len(ruled.prompts[-1]) < 3_000


def test_what_is_asked_is_strict_and_ones_own(
    asking: Asking, over_rule: Assistant, files: dict[str, Path]
) -> None:
    collection = asking.collection()
    document = asking.add(collection, files["docx"])["id"]
    asked = {"conversation": None, "parent": None, "text": "Leave?", "models": ["island"]}

    def status(**beside: object) -> int:
        return asking.http.post("/api/questions", json={**asked, **beside}).status_code

    assert status(documents=[str(collection)]) == 400
    assert status(documents={"1": 1}) == 400
    assert status(documents=[collection] * 21) == 400
    assert status(documents=[collection], action={"name": "explain", "fields": {}}) == 400
    over_rule.owner[0] = "eve"
    assert status(documents=[collection]) == 404
    http, where = asking.http, f"/api/collections/{collection}"
    assert http.get("/api/collections").json() == {
        "collections": [],
        "projects": [],
        "folders": False,
    }
    assert http.get(f"{where}/documents").status_code == 404
    assert asking.send(collection, "x.md", b"# x").status_code == 404
    assert http.patch(where, json={"name": "Mine"}).status_code == 404
    assert http.delete(where).status_code == 404
    for what in ("file", "place", "page"):
        found = http.get(f"/api/documents/{document}/{what}", params={"spans": "0-0-1"})
        assert found.status_code == 404, what
    assert http.delete(f"/api/documents/{document}").status_code == 404
    over_rule.owner[0] = "local"
    assert http.get(f"/api/documents/{document}/file").content == files["docx"].read_bytes()


def test_a_collection_without_documents_says_so(asking: Asking, ruled: Ruled) -> None:
    answer = asking.ask("Anything?", asking.collection())
    assert answer["status"] == "failed"
    assert "no document to ask" in answer["facts"]["error"]["message"]
    assert ruled.asked == []


def test_an_import_brings_no_citation(asking: Asking, ruled: Ruled, files: dict[str, Path]) -> None:
    collection = asking.collection()
    asking.add(collection, files["md"])
    ruled.rule = lambda _: f'It says: "{BOAT}" [1]'
    begun = asking.begin("When does the boat call?", documents=[collection])
    asking.whole(begun["answers"][0]["id"])
    where = f"/api/conversations/{begun['conversation']['id']}/export?form=json"
    forged = asking.http.get(where).text.replace("second Tuesday", "tenth of May")
    asking.http.delete(f"/api/conversations/{begun['conversation']['id']}")
    headers = {"X-File-Name": "forged.json"}
    sent = asking.http.post("/api/import", content=forged, headers=headers).text.splitlines()
    [id_] = [one["conversation"] for one in map(json.loads, sent) if one.get("conversation")]
    question, answer = asking.http.get(f"/api/conversations/{id_}").json()["messages"]
    assert "tenth of May" in answer["text"]
    assert not {"citations", "marks", "nearest", "documents"} & {
        *answer["facts"],
        *question["facts"],
    }
