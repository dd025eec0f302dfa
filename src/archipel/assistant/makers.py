"""Who makes an answer: a model that goes on with the conversation, or an action."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from archipel.assistant.actions.acting import act
from archipel.assistant.actions.drawing import Order, draw
from archipel.assistant.actions.mending import Workbench, mend
from archipel.assistant.asking import Question, asked
from archipel.assistant.desk import Desk
from archipel.assistant.history.messages import Message
from archipel.assistant.pieces import Piece
from archipel.assistant.turns import action_of
from archipel.chat import ChatService
from archipel.chat import Message as Turn

_SEEDS = 1 << 31


@dataclass(frozen=True)
class Makers:
    """Over one service; `chance(n)` gives a number from 0 to n - 1."""

    desk: Desk
    service: ChatService
    bench: Workbench
    chance: Callable[[int], int]

    def pieces(
        self, owner: str, question: Message, answer: Message, turns: Sequence[Turn]
    ) -> AsyncGenerator[Piece]:
        """The pieces of an answer to a question, by the answer's model; the turns end with the
        question."""
        model = answer.model or ""
        action = action_of(question)
        if action is None:
            return asked(self.service, Question(model, turns))
        if action.action.way == "picture":
            order = Order(owner, answer.id, model, action, question.text, self.chance(_SEEDS))
            return draw(self.service, self.desk, order)
        if action.action.way == "workshop":
            return mend(self.service, model, self.bench, action, question.text)
        return act(self.service, model, action, question.text)
