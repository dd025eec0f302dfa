"""Pictures in messages, as an engine gets them. Bad ones are in test_sight.py."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from archipel.serve.api_error import ApiError
from archipel.serve.image_parts import first_picture, with_pictures_read


def _part(picture: Image.Image, kind: str, **options: Any) -> dict[str, Any]:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    url = f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


def _asked(*parts: dict[str, Any]) -> dict[str, Any]:
    first = {"role": "system", "content": "Look."}
    return {"messages": [first, {"role": "user", "content": [*parts]}], "temperature": 0}


def _seen(part: dict[str, Any]) -> Image.Image:
    [_, message] = with_pictures_read(_asked(part))["messages"]
    [made] = message["content"]
    head, _, data = made["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_what_is_no_picture_stays_as_it_is() -> None:
    asked = _asked({"type": "text", "text": "What?"}, _part(Image.new("RGB", (4, 4)), "PNG"))
    read = with_pictures_read(asked)
    assert first_picture(asked) == "messages.1.content.1"
    assert read["messages"][0] == asked["messages"][0]
    assert read["messages"][1]["content"][0] == asked["messages"][1]["content"][0]
    assert read["temperature"] == 0


def test_a_cameras_picture_comes_upright() -> None:
    taken = Image.new("RGB", (8, 4), "blue")
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: to be turned right
    assert _seen(_part(taken, "JPEG", exif=turned)).size == (4, 8)


def test_what_is_transparent_comes_white() -> None:
    seen = _seen(_part(Image.new("RGBA", (2, 2), (0, 0, 0, 0)), "PNG"))
    assert (seen.mode, seen.getpixel((0, 0))) == ("RGB", (255, 255, 255))


def test_pixels_come_as_they_were_sent() -> None:
    picture = Image.frombytes("RGB", (3, 2), bytes(range(18)))
    assert _seen(_part(picture, "PNG")).tobytes() == picture.tobytes()


def test_a_webp_comes_as_a_png() -> None:
    picture = Image.frombytes("RGB", (3, 2), bytes(range(18)))
    assert _seen(_part(picture, "WEBP", lossless=True)).tobytes() == picture.tobytes()
    clear = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    assert _seen(_part(clear, "WEBP")).getpixel((0, 0)) == (255, 255, 255)


def test_a_large_picture_comes_smaller() -> None:
    assert _seen(_part(Image.new("RGB", (4096, 512)), "PNG")).size == (2048, 256)


def test_a_camera_s_jpeg_with_a_preview_is_one_picture() -> None:
    picture = Image.new("RGB", (8, 8), "red")
    preview = {"save_all": True, "append_images": [picture.resize((2, 2))]}
    file = io.BytesIO()
    picture.save(file, "MPO", **preview)
    url = "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
    assert _seen({"type": "image_url", "image_url": {"url": url}}).size == (8, 8)


def test_many_pictures_are_refused_before_one_is_decoded() -> None:
    wrong = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    with pytest.raises(ApiError, match="11 pictures, and 10 are taken") as refused:
        with_pictures_read(_asked(*(11 * [wrong])))
    assert refused.value.status == 400
