"""A picture made of words, by a model of the service, kept with the answer."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from archipel.assistant.actions.table import SIZES, Chosen
from archipel.assistant.desk import Desk
from archipel.assistant.history import pictures
from archipel.assistant.picture_files import read_picture
from archipel.assistant.pieces import Piece
from archipel.chat import ChatService, ServiceError

_NO_OPTION = frozenset(
    {"unknown_parameter", "unsupported_parameter", "unsupported_value", "invalid_value"}
)


@dataclass(frozen=True)
class Drawing:
    """What is to be drawn: whose it will be, of which answer, by which model, of what words."""

    owner: str
    answer: int
    model: str
    chosen: Chosen
    prompt: str
    seed: int


async def draw(service: ChatService, desk: Desk, order: Drawing) -> AsyncGenerator[Piece]:
    """The picture, in the answer's facts (`pictures`).

    Raises:
        ServiceError: the service can't be reached, refuses, or sends no picture.
        IntegrityError: what it sends is not PNG, JPEG or WebP.
        DatabaseError: it can't be kept.
    """
    yield Piece(facts={"action": order.chosen.facts | {"notes": [], "parts": 1}})
    size = {"size": SIZES[order.chosen.fields["size"]]}
    # Some models know no seed, some answer in base64 without being told and take no such option.
    wishes = [{"seed": order.seed, "response_format": "b64_json"}, {}]
    file = read_picture(await _made(service, order, [size | wish for wish in wishes]))
    made = pictures.Made(message=order.answer, prompt=order.prompt, seed=order.seed)
    shown = await desk.writing(lambda c, now: pictures.add(c, order.owner, file, now, made))
    yield Piece(facts={"pictures": [shown]})


async def _made(service: ChatService, order: Drawing, tries: list[dict[str, object]]) -> bytes:
    *others, last = tries
    for options in others:
        try:
            return await service.make_picture(order.model, order.prompt, **options)
        except ServiceError as error:
            if error.code not in _NO_OPTION:
                raise
    return await service.make_picture(order.model, order.prompt, **last)
