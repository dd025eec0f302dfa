"""What is asked of a model of pictures here, in OpenAI's words, as an order for it. No HTTP.

What the engine has no way to do it refuses by name.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from PIL.Image import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archipel.errors import DocumentError
from archipel.images.given import media_type_of, read_given
from archipel.images.painter import Ability, Order, Painter
from archipel.images.provenance import FORMATS, Coding, PictureFile
from archipel.serve.api_error import ApiError
from archipel.serve.body import wrong
from archipel.serve.media import File

_PROMPT_CHARACTERS = 1000
_SHOWN_CHARACTERS = 40
_MOST_SEED = (1 << 32) - 1
_IMAGE = ("image", "image[]")
_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_USUAL_STRENGTH: Mapping[Ability, float] = {"edit": 0.8, "inpaint": 1.0, "vary": 0.5}
# Fields of OpenAI's that may say only what this engine does anyway.
_ONLY: Mapping[str, Sequence[Any]] = {
    "response_format": ("b64_json", "url"),  # of which the gateway makes links
    "quality": ("auto", "standard"),
    "background": ("auto", "opaque"),
    "moderation": ("auto",),
}


class ImageAsked(BaseModel):
    """The fields of all three endpoints, in JSON or as a form's texts."""

    model_config = ConfigDict(extra="allow")
    model: str | None = None
    prompt: str = ""
    n: int | None = Field(default=None, ge=1, le=10)
    size: str | None = None
    seed: int | None = Field(default=None, ge=0, le=_MOST_SEED)
    steps: int | None = Field(default=None, ge=1, le=500)
    guidance: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    strength: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    output_format: str | None = None
    output_compression: int | None = Field(default=None, ge=0, le=100)
    stream: bool | None = None
    partial_images: int | None = Field(default=None, ge=0, le=3)  # fewer may be sent: none are
    user: str | None = None


def read_asked(fields: Mapping[str, Any]) -> ImageAsked:
    """The fields, checked.

    Raises:
        ApiError: one is wrong, or asks for what the engine can't do.
    """
    try:
        asked = ImageAsked.model_validate(fields)
    except ValidationError as error:
        raise wrong(error) from None
    for name, value in (asked.model_extra or {}).items():
        if value is None or value in _ONLY.get(name, ()):
            continue
        said = "".join(f", or say {one!r}" for one in _ONLY.get(name, ()))
        message = f"{name}: the engine of this model can't do {_told(value)}. Leave it out{said}."
        raise ApiError(400, message, "unsupported_by_provider", name)
    if asked.stream and (asked.model_extra or {}).get("response_format") == "url":
        message = "response_format: a stream has the pictures in it. Leave one of the two out."
        raise ApiError(400, message, "unsupported_by_provider", "response_format")
    if len(asked.prompt) > _PROMPT_CHARACTERS:
        message = (
            f"prompt: it has {len(asked.prompt)} characters, and {_PROMPT_CHARACTERS} are taken. "
            "Shorten it."
        )
        raise ApiError(400, message, "invalid_value", "prompt")
    return asked


def coding_of(asked: ImageAsked) -> Coding:
    """As what the pictures are to be written.

    Raises:
        ApiError: it is a format that is not made here, or one that can't be compressed.
    """
    wanted = "png" if asked.output_format is None else asked.output_format
    quality = 100 if asked.output_compression is None else asked.output_compression
    found = next((one for one in FORMATS if one == wanted), None)
    if found is None:
        can = ", ".join(FORMATS)
        message = f"output_format: {_told(wanted)} is not made here. Take one of {can}."
        raise ApiError(400, message, "unsupported_by_provider", "output_format")
    if found == "png" and quality != 100:
        message = (
            f"output_compression: {quality} is for jpeg and webp, and a png loses nothing. Leave "
            "it out, or name one of the two as output_format."
        )
        raise ApiError(400, message, "invalid_value", "output_compression")
    return Coding(found, quality)


def order_of(
    asked: ImageAsked, painter: Painter, wanted: Ability, files: Sequence[File] = ()
) -> Order:
    """What the model is to make; `wanted` is "edit" also where a mask may be among the files.

    Raises:
        ApiError: the model can't make it, words or a picture are lacking, or a picture is no good.
    """
    image, mask = _given(wanted, files)
    wanted = "inpaint" if mask is not None else wanted
    if wanted not in painter.abilities:
        can = ", ".join(sorted(painter.abilities))
        message = f"model: it can't {wanted}. It can {can}. Ask another model."
        raise ApiError(400, message, "unsupported_by_provider", "model")
    if wanted != "vary" and not asked.prompt.strip():
        message = "prompt: it is empty. Say what the picture is to show."
        raise ApiError(400, message, "invalid_value", "prompt")
    width, height = _size(asked, painter)
    seed = secrets.randbelow(_MOST_SEED + 1) if asked.seed is None else asked.seed
    strength = asked.strength or _USUAL_STRENGTH.get(wanted, 1.0)
    return Order(
        prompt="" if wanted == "vary" else asked.prompt,
        count=asked.n or 1,
        width=width,
        height=height,
        seed=seed,
        steps=asked.steps,
        guidance=asked.guidance,
        image=image,
        mask=mask,
        strength=strength,
    )


def image_file(files: Sequence[File]) -> PictureFile:
    """The image that `order_of` has read among the files, as it was sent."""
    data = next(file.data for file in files if file.part in _IMAGE)
    return PictureFile(data, media_type_of(data))


def _size(asked: ImageAsked, painter: Painter) -> tuple[int | None, int | None]:
    if asked.size in (None, "auto"):
        return None, None
    found = _SIZE.fullmatch(asked.size or "")
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if not painter.sizes.allows(width, height):
        message = (
            f"size: {(asked.size or '')[:20]!r} can't be made. This model makes "
            f'{painter.sizes.described()}; "auto" is its own.'
        )
        raise ApiError(400, message, "invalid_value", "size")
    return width, height


def _given(wanted: Ability, files: Sequence[File]) -> tuple[Image | None, Image | None]:
    """The picture and the mask of a form."""
    if wanted == "generate":
        return None, None
    images = [file for file in files if file.part in _IMAGE]
    masks = [file for file in files if file.part == "mask" and wanted == "edit"]
    others = len(files) - len(images) - len(masks)
    if len(images) > 1:
        message = f"image: {len(images)} were sent, and this model takes one picture. Send one."
        raise ApiError(400, message, "invalid_value", "image")
    if not images or len(masks) > 1 or others:
        has_mask = " and at most one as mask" if wanted == "edit" else ""
        message = f"image: this model takes one picture, as image{has_mask}. Send no other file."
        raise ApiError(400, message, "invalid_value", "image")
    image = _read("image", images[0])
    if not masks:
        return image, None
    mask = _read("mask", masks[0])
    if mask.size != image.size:
        message = f"mask: it is {_shown(mask)} and the image {_shown(image)}. Make them equal."
        raise ApiError(400, message, "invalid_value", "mask")
    if not mask.has_transparency_data:
        message = "mask: nothing in it is transparent. Send a PNG that is, where it is to change."
        raise ApiError(400, message, "invalid_value", "mask")
    return image, mask


def _read(part: str, file: File) -> Image:
    try:
        return read_given(file.data)
    except DocumentError as error:
        raise ApiError(400, f"{part}: {error}.", "invalid_image", part) from None


def _told(value: Any) -> str:
    """A client's own value, of which the begin is enough."""
    return repr(value)[:_SHOWN_CHARACTERS]


def _shown(image: Image) -> str:
    return f"{image.width}x{image.height}"
