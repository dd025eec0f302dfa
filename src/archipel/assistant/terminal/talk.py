"""A conversation that a person has in the terminal, kept in the same history as the page's."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

from archipel.assistant.asking import Question, asked
from archipel.assistant.history import conversations, messages
from archipel.assistant.history.messages import Draft, Message, Status
from archipel.assistant.people import LOCAL
from archipel.assistant.terminal.drawing import Drawing, in_line
from archipel.assistant.turns import title, turns
from archipel.chat import ChatService, ServiceError
from archipel.database import Database
from archipel.errors import ConfigError

_ENDED_EARLY = {
    "circles": "ended where it went round in circles",
    "length": "cut where the model may write no more",
}


class Talk:
    """With one of a service's models; `conversation` is None until something is asked."""

    def __init__(
        self,
        service: ChatService,
        history: Database,
        model: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.service = service
        self.history = history
        self.model = model
        self.conversation: int | None = None
        self._end: int | None = None  # the last message of the branch
        self._clock = clock

    def open(self, conversation: int) -> None:
        """Go on with a conversation, where it is shown.

        Raises:
            NotFound: it is not there.
        """
        with self.history.reading() as connection:
            found = conversations.find(connection, LOCAL.owner, conversation)
        self.conversation, self._end = found.id, found.shown

    def new(self) -> None:
        """Begin another conversation with the next question."""
        self.conversation = self._end = None

    def branch(self) -> list[Message]:
        """What was said so far."""
        if self.conversation is None:
            return []
        with self.history.reading() as connection:
            tree = messages.all_of(connection, LOCAL.owner, self.conversation)
        return messages.branch(tree, self._end)

    async def ask(self, question: str, drawing: Drawing) -> Message:
        """Ask, and draw the answer as it comes; what came before a stop is kept.

        Raises:
            ServiceError: the service can't be reached, refuses, or breaks off.
        """
        with self.history.writing() as connection:
            if self.conversation is None:
                name = title(question)
                now = self._clock()
                self.conversation = conversations.begin(connection, LOCAL.owner, now, name)
            draft = Draft(role="user", text=question)
            added = messages.add(connection, self.conversation, self._end, draft, self._clock())
            self._end = added.id
        return await self._answer(drawing)

    async def again(self, drawing: Drawing) -> Message:
        """Another answer to the last question; the one before stays a branch of its own.

        Raises:
            ConfigError: nothing was asked yet.
            ServiceError: as for `ask`.
        """
        self._end = self._question().id
        return await self._answer(drawing)

    def undo(self) -> str:
        """Go back to before the last question; gives it. It stays a branch that the page shows.

        Raises:
            ConfigError: nothing was asked yet.
        """
        question = self._question()
        self._end = question.parent
        if self._end is None:
            self.new()
        elif self.conversation is not None:
            with self.history.writing() as connection:
                messages.show(connection, self.conversation, self._end)
        return question.text

    def _question(self) -> Message:
        asked = [one for one in self.branch() if one.role == "user"]
        if not asked:
            raise ConfigError("nothing was asked yet in this conversation.")
        return asked[-1]

    async def _answer(self, drawing: Drawing) -> Message:
        pieces: list[str] = []
        facts: dict[str, Any] = {}
        status: Status = "stopped"
        try:
            await self._take(drawing, pieces, facts)
            status = "done"
        except ServiceError as error:
            status, facts["error"] = "failed", {"code": error.code, "message": str(error)}
            raise
        finally:
            drawing.end()
            answer = self._keep("".join(pieces), status, facts)
        return answer

    def _keep(self, text: str, status: Status, facts: dict[str, Any]) -> Message:
        draft = Draft(role="assistant", text=text, status=status, model=self.model, facts=facts)
        assert self.conversation is not None
        with self.history.writing() as connection:
            added = messages.add(connection, self.conversation, self._end, draft, self._clock())
        self._end = added.id
        return added

    async def _take(self, drawing: Drawing, pieces: list[str], facts: dict[str, Any]) -> None:
        """The answer; where the conversation is too long for the model, without its oldest part."""
        question, began = Question(self.model, turns(self.branch())), self._clock()
        async with contextlib.aclosing(asked(self.service, question)) as answer:
            async for piece in answer:
                facts.update(piece.facts)
                if not piece.text:
                    continue
                facts.setdefault("first_seconds", round(self._clock() - began, 3))
                facts["seconds"] = round(self._clock() - began, 3)
                pieces.append(piece.text)
                drawing.add(piece.text)


def told(answer: Message) -> str:
    """What is known of an answer, in a line. Pure."""
    parts = [in_line(answer.model or "")]
    tokens, seconds = answer.facts.get("completion_tokens"), answer.facts.get("seconds")
    if tokens:
        parts.append(f"{tokens} tokens")
        if seconds:
            parts.append(f"{tokens / seconds:.1f} per second")
    if left_out := answer.facts.get("left_out"):
        parts.append(f"without the first {left_out} messages, which did not fit")
    if why := ended_early(answer):
        parts.append(why)
    return ", ".join(parts)


def ended_early(answer: Message) -> str | None:
    """Why there is no more of an answer that came without an error; None if it is whole. Pure."""
    return _ENDED_EARLY.get(answer.facts.get("ended", ""))
