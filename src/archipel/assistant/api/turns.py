"""Questions and answers: asked, asked again, followed as they grow, stopped."""

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import Field
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from archipel.assistant.answers import Answers, Question
from archipel.assistant.api.asked import Asked, Refused, answered, number, read
from archipel.assistant.desk import Desk
from archipel.assistant.history import conversations, messages
from archipel.assistant.history.messages import Draft, Message
from archipel.assistant.people import WhoAsks
from archipel.assistant.turns import title, turns

_TEXT_CHARACTERS = 1_000_000
_MODELS = 4  # that answer side by side


class _Question(Asked):
    """`conversation` is null for a new one, `parent` null for its first message."""

    conversation: int | None
    parent: int | None
    text: str = Field(min_length=1, max_length=_TEXT_CHARACTERS)
    models: list[str] = Field(min_length=1, max_length=_MODELS)


class _Again(Asked):
    models: list[str] = Field(min_length=1, max_length=_MODELS)


class Turns:
    """Endpoints that let models answer."""

    def __init__(self, desk: Desk, who: WhoAsks, answers: Answers) -> None:
        self._desk = desk
        self._who = who
        self._answers = answers

    def routes(self) -> list[BaseRoute]:
        """What the page calls."""
        one = "/api/messages/{id:int}"
        calls = {
            ("POST", "/api/questions"): self.ask,
            ("POST", f"{one}/answers"): self.ask_again,
            ("POST", f"{one}/stop"): self.stop,
            ("GET", f"{one}/events"): self.follow,
        }
        return [
            Route(path, answered(endpoint), methods=[method])
            for (method, path), endpoint in calls.items()
        ]

    async def ask(self, request: Request) -> Response:
        """A question below a message, or the first of a new conversation; each model begins an
        answer. An edited question is another one below the same parent."""
        owner, asked = (await self._who(request)).owner, await read(request, _Question)

        def act(connection: Connection, now: float) -> dict[str, Any]:
            id_ = asked.conversation
            if id_ is None:
                id_ = conversations.begin(connection, owner, now, title(asked.text))
            conversations.find(connection, owner, id_)
            draft = Draft(role="user", text=asked.text)
            question = messages.add(connection, id_, asked.parent, draft, now)
            return self._begun(connection, owner, id_, question, asked.models, now)

        return self._started(await self._desk.writing(act))

    async def ask_again(self, request: Request) -> Response:
        """Another answer to a question, of each model."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        asked = await read(request, _Again)

        def act(connection: Connection, now: float) -> dict[str, Any]:
            conversation, question = messages.find(connection, owner, id_)
            if question.role != "user":
                raise Refused(400, "Only a question can be asked again.")
            return self._begun(connection, owner, conversation, question, asked.models, now)

        return self._started(await self._desk.writing(act))

    async def stop(self, request: Request) -> Response:
        """End an answer where it is."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        await self._desk.reading(lambda c: messages.find(c, owner, id_))
        await self._answers.stop(id_)
        _, message = await self._desk.reading(lambda c: messages.find(c, owner, id_))
        return JSONResponse(asdict(message))

    async def follow(self, request: Request) -> Response:
        """Server-sent events: `piece` (a JSON string; its id is the piece's number), then `end`
        with the message as it is kept. `after`, or Last-Event-ID, says which one has."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        await self._desk.reading(lambda c: messages.find(c, owner, id_))
        last = request.headers.get("last-event-id", "")
        after = int(last) if last.isascii() and last.isdecimal() and len(last) < 10 else 0
        after = number(request, "after", after, 1 << 40)
        return StreamingResponse(self._events(owner, id_, after), media_type="text/event-stream")

    async def _events(self, owner: str, id_: int, after: int) -> AsyncGenerator[str]:
        async for place, piece in self._answers.follow(id_, after):
            data = json.dumps(piece, ensure_ascii=False)
            yield f"id: {place}\nevent: piece\ndata: {data}\n\n"
        _, message = await self._desk.reading(lambda c: messages.find(c, owner, id_))
        data = json.dumps(asdict(message), ensure_ascii=False)
        yield f"event: end\ndata: {data}\n\n"

    def _begun(
        self,
        connection: Connection,
        owner: str,
        conversation: int,
        question: Message,
        models: Sequence[str],
        now: float,
    ) -> dict[str, Any]:
        tree = messages.all_of(connection, owner, conversation)
        given = turns(messages.branch(tree, question.id))
        drafts = [Draft(role="assistant", text="", status="growing", model=one) for one in models]
        answers = [
            messages.add(connection, conversation, question.id, draft, now) for draft in drafts
        ]
        if len(answers) > 1:  # side by side, until one is chosen
            messages.show(connection, conversation, question.id)
        return {
            "conversation": conversations.find(connection, owner, conversation),
            "question": question,
            "answers": answers,
            "turns": given,
        }

    def _started(self, begun: dict[str, Any]) -> Response:
        """After the transaction: what grows is written down already."""
        for answer in begun["answers"]:
            self._answers.start(answer.id, Question(answer.model, begun["turns"]))
        return JSONResponse(
            {
                "conversation": asdict(begun["conversation"]),
                "question": asdict(begun["question"]),
                "answers": [asdict(answer) for answer in begun["answers"]],
            }
        )
