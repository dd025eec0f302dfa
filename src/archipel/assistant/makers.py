"""Who makes an answer: a model that goes on with the conversation, or an action."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from archipel.assistant.actions.acting import Reader, act
from archipel.assistant.actions.drawing import Drawing, draw
from archipel.assistant.actions.mending import Workbench, mend
from archipel.assistant.actions.prompts import is_asked_plainly
from archipel.assistant.actions.table import SEEDS, Chosen
from archipel.assistant.asking import Question, asked
from archipel.assistant.desk import Desk
from archipel.assistant.history.messages import Message
from archipel.assistant.library.consulting import Consulting, Looked
from archipel.assistant.library.shelf import Shelf
from archipel.assistant.memory.remembering import Remembering, Said
from archipel.assistant.offers import Offers, told
from archipel.assistant.paperwork.reworking import Order, Reworking
from archipel.assistant.people import Person
from archipel.assistant.picture_files import PictureFile
from archipel.assistant.pieces import Piece
from archipel.assistant.turns import action_of
from archipel.chat import ChatService
from archipel.chat import Message as Turn


@dataclass(frozen=True)
class Put:
    """A question as it is put to models: who asks, the message, the turns that end with it, the ids
    of the memories that they speak of, and whether what it says may be remembered; its `pictures`,
    and the one, with its id, that what is drawn is to be `like`."""

    person: Person
    question: Message
    turns: Sequence[Turn]
    memories: Sequence[int]
    remembers: bool
    pictures: Sequence[PictureFile] = ()
    like: tuple[int, PictureFile] | None = None


class Makers:
    """The makers over one service; `chance(n)` gives a number from 0 to n - 1."""

    def __init__(
        self,
        desk: Desk,
        service: ChatService,
        offers: Offers,
        shelf: Shelf,
        chance: Callable[[int], int],
    ) -> None:
        self._desk = desk
        self._service = service
        self._offers = offers
        self._shelf = shelf
        self._chance = chance
        self._bench = Workbench()
        self._remembering = Remembering(desk, service)

    def pieces(self, put: Put, answer: Message, *, remember: bool) -> AsyncGenerator[Piece]:
        """The pieces of an answer, by its model; of several answers to a question one is to
        `remember` what it says."""
        model = answer.model or ""
        made = self._acted(put, answer, model)
        if made is None:
            made = self._answered(put, model)
            if put.remembers and remember:
                said = Said(put.person, put.question.id, put.question.text, model)
                made = self._remembering.after(made, said)
        return told(made, self._offers, model)

    async def close(self) -> None:
        """End what goes on beside the answers."""
        await self._remembering.close()

    def _answered(self, put: Put, model: str) -> AsyncGenerator[Piece]:
        """The pieces of a model's answer, from documents where the question says so."""
        service = self._service.on_behalf_of(put.person.user)
        question = Question(model, put.turns, put.memories)
        wanted = put.question.facts.get("documents")
        if not wanted:
            return asked(service, question)
        looked = Looked(put.person, wanted, put.question.text)
        room = self._offers.known(model).context
        return Consulting(self._desk, self._shelf, service, room).answer(question, looked)

    def _acted(self, put: Put, answer: Message, model: str) -> AsyncGenerator[Piece] | None:
        """The pieces of an action's answer; None if the question has none."""
        action, text = action_of(put.question), put.question.text
        service = self._service.on_behalf_of(put.person.user)
        if action is None:
            return None
        if action.action.way == "picture":
            return draw(service, self._desk, self._drawing(put, answer, action))
        offer = self._offers.known(model)
        plainly = is_asked_plainly(action, offer.tasks)
        reader = Reader(service, model, offer.context, plainly)
        if action.action.way == "workshop":
            return mend(reader, self._bench, action, text)
        taken = put.question.facts.get("taken", {})
        if taken.get("file"):
            on = Order(put.person, taken["document"], taken["digest"], action)
            return Reworking(self._desk, self._shelf).pieces(reader, on)
        return act(reader, action, text)

    def _drawing(self, put: Put, answer: Message, action: Chosen) -> Drawing:
        """What an answer is to draw: from the seed that was chosen, but others like one from new
        ones."""
        chosen = "" if put.like else action.fields["seed"]
        return Drawing(
            owner=put.person.owner,
            answer=answer,
            model=answer.model or "",
            chosen=action,
            prompt=put.question.text,
            seed=int(chosen) if chosen else self._chance(SEEDS),
            starts=put.pictures,
            like=put.like,
        )
