"""Pictures made of words, by a model of the service, kept with the answer as they come."""

import contextlib
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from archipel.assistant.actions.table import SIZES, Chosen
from archipel.assistant.desk import Desk
from archipel.assistant.history import messages, pictures
from archipel.assistant.history.messages import Message
from archipel.assistant.picture_files import PictureFile, read_picture
from archipel.assistant.pieces import Piece
from archipel.chat import ChatService, PictureNews, PictureUpload, ServiceError
from archipel.errors import ArchipelError, IntegrityError

_NO_OPTION = frozenset(
    {"unknown_parameter", "unsupported_parameter", "unsupported_value", "invalid_value"}
)
_OF_THE_WORDS = frozenset(
    {
        *("context_length_exceeded", "string_above_max_length"),
        *("content_policy_violation", "moderation_blocked"),
    }
)
_NOT_TAKEN = frozenset({400, 422})  # HTTP's, where something of a request is refused
_OTHERS_DO = "unsupported_by_provider"  # OpenAI has no code for it; our service's
_OTHER_SHAPE = {"code": "no_size"}
_NEARLY = 1.1  # times as long as the other side: still square
_NO_SUCH_WAY = frozenset({404, 405, 501})


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What is to be drawn: whose it will be, of which answer, by which model, of what words, from
    which seed on; from the pictures `starts`, if there are; or, in place of the words, `like`
    another picture, given with its id."""

    owner: str
    answer: Message
    model: str
    chosen: Chosen
    prompt: str
    seed: int
    starts: Sequence[PictureFile] = ()
    like: tuple[int, PictureFile] | None = None

    @property
    def count(self) -> int:
        """How many pictures."""
        return int(self.chosen.fields["count"])


def draw(service: ChatService, desk: Desk, order: Drawing) -> AsyncGenerator[Piece]:
    """The pictures, in the answer's facts: `pictures`, each with its seed if it is known, and
    `failed` for those that did not come. The progress has the same, how many are `wanted`, and
    where the making of one is (`at`).

    Raises:
        ServiceError: the service can't be reached, refuses, or sends no picture at all.
        IntegrityError: what it sends is not PNG, JPEG or WebP.
        DatabaseError: they can't be kept.
    """
    return _Easel(service, desk, order).all()


@dataclass
class _Easel:
    service: ChatService
    desk: Desk
    order: Drawing
    wishes: dict[str, object] = field(init=False)  # options that a service may not take
    varies: bool = field(init=False)
    shown: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    failed: dict[int, ArchipelError] = field(default_factory=dict)
    notes: list[Mapping[str, Any]] = field(default_factory=list)
    at: Mapping[str, int | None] | None = None

    def __post_init__(self) -> None:
        self.varies = self.order.like is not None
        self.wishes = self._wishes()

    async def all(self) -> AsyncGenerator[Piece]:
        yield self._piece()
        while missing := self._missing():
            together = missing if "n" in self.wishes else missing[:1]
            async with contextlib.aclosing(self._some(together)) as pieces:
                async for piece in pieces:
                    yield piece
        if not self.shown:
            raise self.failed[0]
        self.at = None
        yield self._piece()

    def _wishes(self) -> dict[str, object]:
        """All of them. Some models know no seed, some answer in base64 without being told and take
        no such option, some have a size of their own; OpenAI's variations are not streamed."""
        order, size = self.order, SIZES[self.order.chosen.fields["size"]]
        wishes = {"stream": True, "response_format": "b64_json", "seed": order.seed}
        return wishes | ({"n": order.count} if order.count > 1 else {}) | {"size": size}

    def _missing(self) -> list[int]:
        known = self.shown.keys() | self.failed.keys()
        return [index for index in range(self.order.count) if index not in known]

    async def _some(self, wanted: Sequence[int]) -> AsyncGenerator[Piece]:
        """Ask once for the pictures with these indices; what then is missing is asked for again, or
        has failed."""
        try:
            async with contextlib.aclosing(self._asked(wanted)) as news:
                async for one in news:
                    await self._take(_meant(wanted, one.index), one)
                    yield self._piece()
        except ServiceError as error:
            if self._gives_in(error):
                return
            gone = self._missing() if error.code == "unreachable" else wanted
            if self.order.starts and (error.status in _NO_SUCH_WAY or error.code == _OTHERS_DO):
                error = ServiceError(str(error), "no_edits")
            self.failed.update((index, error) for index in gone if index not in self.shown)
        self.wishes.pop("n", None)  # a service that sent too few is asked for one at a time

    def _asked(self, wanted: Sequence[int]) -> AsyncGenerator[PictureNews]:
        order = self.order
        options = {**self.wishes, "n": len(wanted)}
        if "seed" in options:
            options["seed"] = order.seed + wanted[0]
        if self.varies and order.like:
            return self.service.vary_picture(order.model, _upload(order.like[1]), **options)
        if order.starts:
            starts = [_upload(one) for one in order.starts]
            return self.service.change_pictures(order.model, order.prompt, starts, **options)
        return self.service.make_pictures(order.model, order.prompt, **options)

    def _gives_in(self, error: ServiceError) -> bool:
        """Wish less, where the service refused something that it can be asked without."""
        order, option = self.order, _refused(error, self.wishes)
        if option is not None:
            del self.wishes[option]
            chosen = order.like is None and order.chosen.fields["seed"]
            if option == "seed" and chosen:
                self.notes.append({"code": "no_seed"})
            return True
        if self.varies and error.status in _NO_SUCH_WAY | _NOT_TAKEN:
            self.varies = False
            self.wishes = self._wishes()
            self.notes = [{"code": "no_variations"}]
            return True
        return False

    async def _take(self, index: int | None, news: PictureNews) -> None:
        if news.error is None and news.file is None:
            self.at = {"index": index, "step": news.step, "steps": news.steps}
        elif index is None or index in self.shown:
            return
        elif news.file is None:
            self.failed[index] = news.error or ServiceError("the picture did not come")
        else:
            await self._keep(index, news.file, news.seed)

    async def _keep(self, index: int, data: bytes, told: int | None) -> None:
        order = self.order
        try:
            file = read_picture(data)
        except IntegrityError as error:
            self.failed[index] = error
            return
        if _shape(file) != order.chosen.fields["size"] and _OTHER_SHAPE not in self.notes:
            self.notes.append(_OTHER_SHAPE)
        counted = order.seed + index if "seed" in self.wishes else None
        made = pictures.Made(
            message=order.answer.id, prompt=order.prompt, seed=counted if told is None else told
        )

        def keep(connection: Connection, now: float) -> Mapping[str, Any]:
            """With the answer, should the program end before that does."""
            added = pictures.add(connection, order.owner, file, now, made)
            messages.note(connection, order.answer, self._facts({**self.shown, index: added}))
            return added

        self.shown[index] = await self.desk.writing(keep)

    def _piece(self) -> Piece:
        come = [{"index": index, **self.shown[index]} for index in sorted(self.shown)]
        progress = {"wanted": self.order.count, "pictures": come, "failed": self._failures()}
        like = self.order.like and self.order.like[0]
        return Piece(
            facts=self._facts(self.shown), progress=progress | {"at": self.at, "like": like}
        )

    def _facts(self, shown: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
        found = {
            "pictures": [shown[index] for index in sorted(shown)],
            "failed": self._failures(),
            "like": self.order.like and self.order.like[0],
        }
        action = self.order.chosen.facts | {"notes": self.notes, "parts": 1}
        return {"action": action} | {name: value for name, value in found.items() if value}

    def _failures(self) -> list[Mapping[str, Any]]:
        return [
            {
                "index": index,
                "code": error.code if isinstance(error, ServiceError) else "no_picture",
                "message": str(error),
            }
            for index, error in sorted(self.failed.items())
        ]


def _meant(wanted: Sequence[int], index: int | None) -> int | None:
    """Which of all pictures a service speaks of; of one that it was asked for alone, whatever it
    calls it; None: of all or of none that was wanted. Pure."""
    if len(wanted) == 1:
        return wanted[0]
    return wanted[index] if index is not None and 0 <= index < len(wanted) else None


def _refused(error: ServiceError, wishes: Mapping[str, object]) -> str | None:
    """The wish that a service refused; None: it refused something else. Pure."""
    if error.status not in _NOT_TAKEN or error.code in _OF_THE_WORDS:
        return None
    if error.option is not None:
        return error.option if error.option in wishes else None
    for name in wishes:
        if re.search(rf"\b{name}\b", str(error)):
            return name
    mostly = wishes if error.code in _NO_OPTION else ("stream", "n")
    return next((name for name in mostly if name in wishes), None)


def _shape(file: PictureFile) -> str:
    """Which of SIZES a picture is. Pure."""
    if file.width > _NEARLY * file.height:
        return "wide"
    return "tall" if file.height > _NEARLY * file.width else "square"


def _upload(file: PictureFile) -> PictureUpload:
    return f"picture.{file.media_type.removeprefix('image/')}", file.data, file.media_type
