"""Pictures: made by a model, given with a question, kept for their owner alone."""

import base64
import struct
from typing import Any

import pytest

from archipel.assistant.history import conversations, messages, pictures
from archipel.assistant.history.messages import Draft
from archipel.assistant.picture_files import read_picture
from archipel.database import Database
from archipel.errors import IntegrityError, NotFound
from tests.assistant.actions.conftest import Doing, Ruled, png
from tests.assistant.conftest import Assistant
from tests.assistant.history.conftest import history, postgresql, url

__all__ = ["history", "postgresql", "url"]
JPEG = (
    b"\xff\xd8\xff\xe1\x00\x08Exif\0\0\xff\xc0\x00\x0b\x08"
    + struct.pack(">HH", 30, 40)
    + b"\x01\x01\x11\0"
)
WEBP = b"RIFF\0\0\0\0WEBPVP8X\n\0\0\0\0\0\0\0" + b"\x27\0\0" + b"\x1d\0\0"


def test_types_and_sizes_by_the_first_bytes() -> None:
    for data, kind in ((png(40, 30), "png"), (JPEG, "jpeg"), (WEBP, "webp")):
        found = read_picture(data)
        assert (found.media_type, found.width, found.height) == (f"image/{kind}", 40, 30)


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"GIF89a\x01\0\x01\0\0\0\0",
        b"\x89PNG\r\n\x1a\n",
        JPEG[:8],
        png(0, 5),
        b"",
    ],
)
def test_what_is_no_picture(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="no PNG, JPEG or WebP"):
        read_picture(data)


def test_a_bomb_of_pixels_is_refused() -> None:
    head = png(1, 1).replace(struct.pack(">II", 1, 1), struct.pack(">II", 60_000, 60_000))
    with pytest.raises(IntegrityError, match="too many"):
        read_picture(head)


def test_a_picture_is_made_kept_and_served_to_its_owner_alone(
    doing: Doing, ruled: Ruled, over_ruled: Assistant
) -> None:
    answer = doing.do("picture", "a white lighthouse", size="wide", count="1")
    asked = ruled.asked[0]
    assert (asked["prompt"], asked["size"]) == ("a white lighthouse", "1536x1024")
    assert 0 <= asked["seed"] < 1 << 31
    [shown] = answer["facts"]["pictures"]
    got = doing.http.get(f"/api/pictures/{shown['id']}")
    assert got.content == ruled.picture
    assert got.headers["content-type"] == "image/png"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]
    assert "default-src 'none'" in got.headers["content-security-policy"]
    down = doing.http.get(f"/api/pictures/{shown['id']}?download")
    assert down.headers["content-disposition"].startswith("attachment")
    over_ruled.owner[0] = "someone"
    assert doing.http.get(f"/api/pictures/{shown['id']}").status_code == 404
    over_ruled.owner[0] = "local"
    listed = doing.http.get("/api/conversations").json()["conversations"]
    assert doing.http.delete(f"/api/conversations/{listed[0]['id']}").is_success
    assert doing.http.get(f"/api/pictures/{shown['id']}").status_code == 404


def test_a_link_shows_the_pictures_of_its_branch_and_no_others(
    doing: Doing, over_ruled: Assistant
) -> None:
    given_one = given(doing, png(5, 5)).json()["id"]
    place = doing.begin("Look", pictures=[given_one])
    end = doing.whole(place["answers"][0]["id"])["id"]
    id_ = place["conversation"]["id"]
    hidden = doing.begin("Not this", conversation=id_, pictures=[given(doing, png()).json()["id"]])
    elsewhere = doing.do("picture", "a boat")["facts"]["pictures"][0]["id"]
    assert doing.http.patch(f"/api/conversations/{id_}", json={"shown": end}).is_success
    token = doing.http.post(f"/api/conversations/{id_}/share").json()["token"]
    over_ruled.owner[0] = "someone"
    [shown] = doing.http.get(f"/api/shared/{token}").json()["messages"][0]["facts"]["pictures"]
    where = f"/api/shared/{token}/pictures"
    got = doing.http.get(f"{where}/{shown['id']}")
    assert got.content == png(5, 5)
    assert got.headers["cache-control"] == "no-store"
    assert "sandbox" in got.headers["content-security-policy"]
    [other] = hidden["question"]["facts"]["pictures"]
    for path in (f"{where}/{other['id']}", f"{where}/{elsewhere}", f"{where}/999"):
        assert doing.http.get(path).status_code == 404
    assert doing.http.get(f"/api/shared/x{token}/pictures/{shown['id']}").status_code == 404
    assert doing.http.get(f"/api/pictures/{shown['id']}").status_code == 404
    over_ruled.owner[0] = "local"
    assert doing.http.delete(f"/api/conversations/{id_}/share").is_success
    assert doing.http.get(f"{where}/{shown['id']}").status_code == 404


def test_a_model_that_takes_only_what_openai_has(doing: Doing, ruled: Ruled) -> None:
    ruled.refused = frozenset({"seed", "response_format"})
    assert doing.do("picture", "a boat")["facts"]["pictures"]
    assert set(ruled.asked[0]) == {"model", "prompt", "n", "size", "stream"}


def test_what_a_model_sends_instead_of_a_picture_is_not_kept(doing: Doing, ruled: Ruled) -> None:
    ruled.picture = b"<svg onload='alert(1)'/>"
    answer = doing.do("picture", "a boat")
    assert answer["status"] == "failed"
    assert "no PNG, JPEG or WebP" in answer["facts"]["error"]["message"]
    assert "pictures" not in answer["facts"]


def given(doing: Doing, data: bytes) -> Any:
    return doing.http.post("/api/pictures", content=data, headers={"Content-Type": "image/png"})


def test_a_picture_goes_to_the_model_with_its_question(doing: Doing, ruled: Ruled) -> None:
    ruled.rule = lambda prompt: "Grey."
    one = given(doing, png(3, 4)).json()
    begun = doing.begin("What is it?", pictures=[one["id"]])
    answer = doing.whole(begun["answers"][0]["id"])
    assert begun["question"]["facts"]["pictures"] == [{"id": one["id"], "width": 3, "height": 4}]
    _, turn = ruled.asked[0]["messages"]
    url = f"data:image/png;base64,{base64.b64encode(png(3, 4)).decode()}"
    assert turn["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    place = {"conversation": begun["conversation"]["id"], "parent": answer["id"]}
    doing.whole(doing.begin("Sure?", **place)["answers"][0]["id"])
    first = ruled.asked[1]["messages"][1]
    assert first == turn
    again = doing.begin("What is that?", pictures=[one["id"]], conversation=place["conversation"])
    [copy] = again["question"]["facts"]["pictures"]
    assert copy["id"] != one["id"]


def test_a_webp_goes_to_the_model_as_one(doing: Doing, ruled: Ruled) -> None:
    ruled.rule = lambda prompt: "Grey."
    begun = doing.begin("What is it?", pictures=[given(doing, WEBP).json()["id"]])
    doing.whole(begun["answers"][0]["id"])
    part = ruled.asked[0]["messages"][-1]["content"][1]
    url = f"data:image/webp;base64,{base64.b64encode(WEBP).decode()}"
    assert part == {"type": "image_url", "image_url": {"url": url}}


def test_a_model_that_does_not_see_says_so(doing: Doing, ruled: Ruled) -> None:
    ruled.refused = frozenset({"messages"})
    picture = given(doing, png()).json()["id"]
    answer = doing.whole(doing.begin("What is it?", pictures=[picture])["answers"][0]["id"])
    assert answer["facts"]["error"]["code"] == "pictures_refused"


def test_what_is_refused(doing: Doing, over_ruled: Assistant) -> None:
    assert given(doing, b"<svg/>").status_code == 415
    assert given(doing, png() + b"x" * (10 << 20)).status_code == 413
    mine = given(doing, png()).json()["id"]
    strange = {"Origin": "https://evil.example"}
    assert doing.http.post("/api/pictures", content=png(), headers=strange).status_code == 403
    asked = {"conversation": None, "parent": None, "text": "x", "models": ["island"]}
    many = {**asked, "pictures": [mine] * 5}
    assert doing.http.post("/api/questions", json=many).status_code == 400
    over_ruled.owner[0] = "someone"
    assert doing.http.post("/api/questions", json={**asked, "pictures": [mine]}).status_code == 404
    assert doing.http.delete(f"/api/pictures/{mine}").status_code == 404
    assert doing.http.get("/api/conversations").json()["conversations"] == []
    over_ruled.owner[0] = "local"
    assert doing.http.delete(f"/api/pictures/{mine}").status_code == 204


def conversation(database: Database, owner: str) -> tuple[int, int]:
    """One with a question; the ids of both."""
    with database.writing() as connection:
        id_ = conversations.begin(connection, owner, 1.0)
        draft = Draft(role="user", text="Look")
        return id_, messages.add(connection, id_, None, draft, 1.0).id


def test_a_fork_has_copies_and_erasing_takes_them(history: Database) -> None:
    id_, question = conversation(history, "ana")
    with history.writing() as connection:
        picture = pictures.add(connection, "ana", read_picture(png(7, 9)), 1.0)["id"]
        shown = pictures.send(connection, "ana", [picture], question)
        messages.note(
            connection, messages.find(connection, "ana", question)[1], {"pictures": shown}
        )
        fork = messages.fork(connection, "ana", id_, question, 2.0)
        [copy] = messages.all_of(connection, "ana", fork)[0].facts["pictures"]
        assert copy["id"] != picture
        conversations.erase(connection, "ana", id_)
        with pytest.raises(NotFound):
            pictures.find(connection, "ana", picture)
        found = pictures.find(connection, "ana", copy["id"])
        assert (found.data, found.width) == (png(7, 9), 7)
        with pytest.raises(NotFound):
            pictures.find(connection, "ben", copy["id"])


def test_what_is_never_sent_is_forgotten(history: Database) -> None:
    file = read_picture(png())
    with history.writing() as connection:
        ids = [pictures.add(connection, "ana", file, 1.0)["id"] for _ in range(14)]
        for gone in ids[:2]:
            with pytest.raises(NotFound):
                pictures.find(connection, "ana", gone)
        assert pictures.find(connection, "ana", ids[2]).data == png()
        pictures.forget_unsent(connection, 1e6)
        with pytest.raises(NotFound):
            pictures.find(connection, "ana", ids[-1])
