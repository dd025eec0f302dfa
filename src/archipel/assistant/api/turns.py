"""Questions and answers: asked, asked again, followed as they grow, stopped."""

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from typing import Any

from pydantic import Field
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from archipel import chat
from archipel.assistant.actions.acting import act
from archipel.assistant.actions.prompts import turn
from archipel.assistant.actions.table import Chosen, chosen
from archipel.assistant.answers import Answers
from archipel.assistant.api.asked import Asked, Refused, answered, number, read
from archipel.assistant.asking import Question, asked
from archipel.assistant.desk import Desk
from archipel.assistant.history import conversations, memories, messages, preferences
from archipel.assistant.history.messages import Draft, Message
from archipel.assistant.instructions import instructions
from archipel.assistant.memory.remembering import Remembering, Said
from archipel.assistant.offers import Offers, told
from archipel.assistant.people import Person, WhoAsks
from archipel.assistant.pieces import Piece
from archipel.errors import ConfigError

_TEXT_CHARACTERS = 1_000_000
_MODELS = 4  # that answer side by side
_TITLE_CHARACTERS = 60


class _Action(Asked):
    """What to do with the text; fields that are not given have their first choice."""

    name: str
    fields: dict[str, str] = Field(default_factory=dict, max_length=8)


class _Question(Asked):
    """`conversation` is null for a new one, `parent` null for its first message; without an
    `action` the text is a question as it stands."""

    conversation: int | None
    parent: int | None
    text: str = Field(min_length=1, max_length=_TEXT_CHARACTERS)
    models: list[str] = Field(min_length=1, max_length=_MODELS)
    action: _Action | None = None

    def facts(self) -> dict[str, Any]:
        """What the question keeps beside its text.

        Raises:
            ConfigError: the action is not one, or not for this text.
        """
        if self.action is None:
            return {}
        return {"action": chosen(self.action.name, self.action.fields, len(self.text)).facts}


class _Again(Asked):
    models: list[str] = Field(min_length=1, max_length=_MODELS)


class Turns:
    """Endpoints that let models answer."""

    def __init__(
        self, desk: Desk, who: WhoAsks, answers: Answers, service: chat.ChatService, offers: Offers
    ) -> None:
        self._desk = desk
        self._who = who
        self._answers = answers
        self._service = service
        self._offers = offers
        self._remembering = Remembering(desk, service)

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

    async def close(self) -> None:
        """End what goes on beside the answers."""
        await self._remembering.close()

    async def ask(self, request: Request) -> Response:
        """A question below a message, or the first of a new conversation; each model begins an
        answer. An edited question is another one below the same parent."""
        person, sent = await self._who(request), await read(request, _Question)
        owner = person.owner
        draft = Draft(role="user", text=sent.text, facts=sent.facts())

        def begin(connection: Connection, now: float) -> dict[str, Any]:
            id_ = sent.conversation
            if id_ is None:
                id_ = conversations.begin(connection, owner, now, _title(sent.text))
            conversations.find(connection, owner, id_)
            question = messages.add(connection, id_, sent.parent, draft, now)
            return self._begun(connection, owner, id_, question, sent.models, now)

        return self._started(person, await self._desk.writing(begin))

    async def ask_again(self, request: Request) -> Response:
        """Another answer to a question, of each model."""
        person, id_ = await self._who(request), request.path_params["id"]
        owner, sent = person.owner, await read(request, _Again)

        def begin(connection: Connection, now: float) -> dict[str, Any]:
            conversation, question = messages.find(connection, owner, id_)
            if question.role != "user":
                raise Refused(400, "Only a question can be asked again.")
            return self._begun(connection, owner, conversation, question, sent.models, now)

        return self._started(person, await self._desk.writing(begin))

    async def stop(self, request: Request) -> Response:
        """End an answer where it is."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        await self._desk.reading(lambda c: messages.find(c, owner, id_))
        await self._answers.stop(id_)
        _, message = await self._desk.reading(lambda c: messages.find(c, owner, id_))
        return JSONResponse(asdict(message))

    async def follow(self, request: Request) -> Response:
        """Server-sent events: `piece` (a JSON string; its id is the piece's number), `progress` (an
        object: where the answer's making is), then `end` with the message as it is kept. `after`,
        or Last-Event-ID, says which piece one has."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        await self._desk.reading(lambda c: messages.find(c, owner, id_))
        last = request.headers.get("last-event-id", "")
        after = int(last) if last.isascii() and last.isdecimal() and len(last) < 10 else 0
        after = number(request, "after", after, 1 << 40)
        return StreamingResponse(self._events(owner, id_, after), media_type="text/event-stream")

    async def _events(self, owner: str, id_: int, after: int) -> AsyncGenerator[str]:
        async for news in self._answers.follow(id_, after):
            if news.progress is not None:
                yield _event("progress", news.progress)
            if news.text:
                yield f"id: {news.number}\n{_event('piece', news.text)}"
        _, message = await self._desk.reading(lambda c: messages.find(c, owner, id_))
        yield _event("end", asdict(message))

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
        branch = messages.branch(tree, question.id)
        prefers = preferences.find(connection, owner)
        known = memories.listed(connection, owner) if prefers.memory else []
        given = instructions(prefers, known, branch[0].text, branch[0].created)
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
            "turns": _turns(branch, given.text),
            "memories": given.memories,
            "remembers": prefers.memory,
        }

    def _started(self, person: Person, begun: dict[str, Any]) -> Response:
        """After the transaction: what grows is written down already."""
        for answer in begun["answers"]:
            pieces = self._pieces(person, answer.model, begun)
            self._answers.start(answer.id, told(pieces, self._offers, answer.model))
        return JSONResponse(
            {
                "conversation": asdict(begun["conversation"]),
                "question": asdict(begun["question"]),
                "answers": [asdict(answer) for answer in begun["answers"]],
            }
        )

    def _pieces(self, person: Person, model: str, begun: dict[str, Any]) -> AsyncGenerator[Piece]:
        question: Message = begun["question"]
        service = self._service.on_behalf_of(person.user)
        action = _chosen(question)
        if action is not None:
            return act(service, model, action, question.text)
        pieces = asked(service, Question(model, begun["turns"], begun["memories"]))
        if not begun["remembers"] or begun["answers"][0].model != model:  # of several, one is asked
            return pieces
        said = Said(person, question.id, question.text, model)
        return self._remembering.after(pieces, said)


def _event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _chosen(question: Message) -> Chosen | None:
    """The question's action, if it has one that is known today."""
    action = question.facts.get("action")
    try:
        return action and chosen(action["name"], action["fields"], len(question.text))
    except ConfigError:
        return None


def _turns(branch: Sequence[Message], told: str) -> list[chat.Message]:
    """What the model is given: what it is told first, then the branch without empty answers; what
    one said in several messages on end is one turn, since many models know of turns by turns only.
    Pure."""
    first = [("system", told)] if told else []
    spoken = first + [(one.role, _said(one)) for one in branch if one.text]
    return [
        chat.Message(role, "\n\n".join(text for _, text in ones))
        for role, ones in groupby(spoken, itemgetter(0))
    ]


def _said(message: Message) -> str:
    action = _chosen(message) if message.role == "user" else None
    return turn(action, message.text) if action else message.text


def _title(text: str) -> str:
    """The beginning of a question's first line, cut at a word. Pure."""
    line = " ".join(text.strip().splitlines()[0].split()) if text.strip() else ""
    if len(line) <= _TITLE_CHARACTERS:
        return line
    cut = line[:_TITLE_CHARACTERS].rpartition(" ")[0] or line[:_TITLE_CHARACTERS]
    return f"{cut}…"
