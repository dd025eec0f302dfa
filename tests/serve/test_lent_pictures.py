"""Pictures by a link: for how long, how many, and which."""

import io
import json

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from archipel.errors import IntegrityError
from archipel.serve.api_error import ApiError
from archipel.serve.lent_pictures import LentPictures
from archipel.serve.media import Media


class Shelf:
    """Lent pictures, a clock to set, and who looks."""

    def __init__(self, most_bytes: int = 1 << 20) -> None:
        self.now = 0.0
        self.lent = LentPictures(lambda: self.now, most_bytes)
        self._looks = TestClient(Starlette(routes=[self.lent.route()]))

    def kind(self, path: str | None) -> str:
        return str(self._looks.get(path or "").headers["content-type"])

    def has(self, path: str | None) -> bool:
        try:
            return self._looks.get(path or "").status_code == 200
        except ApiError:
            return False


def picture(kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, kind)
    return file.getvalue()


def test_a_link_is_good_for_an_hour() -> None:
    shelf = Shelf()
    first = shelf.lent.lend(picture())
    shelf.now = 1800
    second = shelf.lent.lend(picture("JPEG"))
    shelf.now = 3599
    assert shelf.has(first)
    shelf.now = 3600
    assert (shelf.has(first), shelf.has(second)) == (False, True)


def test_each_is_shown_as_what_it_is() -> None:
    shelf = Shelf()
    kinds = ["PNG", "JPEG", "WEBP"]
    shown = [shelf.kind(shelf.lent.lend(picture(kind))) for kind in kinds]
    assert shown == ["image/png", "image/jpeg", "image/webp"]


def test_the_oldest_make_room() -> None:
    shelf = Shelf(most_bytes=2 * len(picture()))
    paths = [shelf.lent.lend(picture()) for _ in range(3)]
    assert [shelf.has(path) for path in paths] == [False, True, True]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"\x89PNG\r\n\x1a\n" + bytes(2000),
    ],
)
def test_what_browsers_do_more_with_than_show_it_or_is_too_large_is_not_lent(data: bytes) -> None:
    assert Shelf(most_bytes=1000).lent.lend(data) is None


def test_answers_without_pictures_are_no_answers() -> None:
    scope = {"type": "http", "path": "/", "headers": [(b"host", b"here:1")], "scheme": "http"}
    scope |= {"server": ("here", 1), "query_string": b"", "root_path": ""}
    question = Media("/images/generations", {"model": "art", "response_format": "url"}, b"")
    dialect = Shelf().lent.dialect(question, Request(scope))
    there = json.dumps({"data": [{"url": "https://elsewhere/a.png"}]}).encode()
    assert json.loads(dialect.whole(there)) == json.loads(there)
    for body in (b"[]", b"x", b'{"data": [{"b64_json": "%"}]}', b'{"data": 3}'):
        with pytest.raises(IntegrityError, match="no pictures"):
            dialect.whole(body)
