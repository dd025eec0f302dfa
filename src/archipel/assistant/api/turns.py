"""Questions and answers: asked, asked again, followed as they grow, stopped."""

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from archipel.assistant.answers import Answers
from archipel.assistant.api.asked import Refused, answered, number, read
from archipel.assistant.api.questions import PICTURES, Again, Question
from archipel.assistant.desk import Desk
from archipel.assistant.history import (
    conversations,
    memories,
    messages,
    pictures,
    preferences,
)
from archipel.assistant.history.messages import Draft, Message
from archipel.assistant.instructions import instructions
from archipel.assistant.library import collections
from archipel.assistant.library.taking import Taking
from archipel.assistant.makers import Makers, Put
from archipel.assistant.people import Person, WhoAsks
from archipel.assistant.turns import title, turns

_PUT = ("question", "turns", "memories", "remembers", "pictures", "like")


class Turns:
    """Endpoints that let models answer. `who_now` tells of projects what is so now."""

    def __init__(
        self,
        desk: Desk,
        who: WhoAsks,
        who_now: WhoAsks,
        answers: Answers,
        makers: Makers,
        taking: Taking,
    ) -> None:
        self._desk = desk
        self._who = who
        self._who_now = who_now
        self._answers = answers
        self._makers = makers
        self._taking = taking

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
        await self._makers.close()

    async def ask(self, request: Request) -> Response:
        """A question below a message, or the first of a new conversation; each model begins an
        answer. An edited question is another one below the same parent."""
        person, sent = await self._who_now(request), await read(request, Question)
        owner = person.owner
        draft = await sent.draft(person, self._taking)
        taken = draft.facts.get("taken")
        called = title(taken["name"] if taken else draft.text)

        def begin(connection: Connection, now: float) -> dict[str, Any]:
            id_ = sent.conversation
            if id_ is None:
                id_ = conversations.begin(connection, owner, now, called)
            conversations.find(connection, owner, id_)
            for collection in sent.documents:
                collections.find(connection, person, collection)
            question = messages.add(connection, id_, sent.parent, draft, now)
            if sent.pictures:
                shown = pictures.send(connection, owner, sent.pictures, question.id)
                question = messages.note(connection, question, {"pictures": shown})
            return self._begun(connection, owner, id_, question, sent.models, now)

        return self._started(person, await self._desk.writing(begin))

    async def ask_again(self, request: Request) -> Response:
        """Another answer to a question, of each model."""
        person, id_ = await self._who_now(request), request.path_params["id"]
        owner, sent = person.owner, await read(request, Again)

        def begin(connection: Connection, now: float) -> dict[str, Any]:
            conversation, question = messages.find(connection, owner, id_)
            if question.role != "user":
                raise Refused(400, "Only a question can be asked again.")
            like = None if sent.like is None else pictures.find(connection, owner, sent.like)
            if like and question.facts.get("action", {}).get("name") != "picture":
                raise Refused(400, "Only who had pictures made has others like one. Leave `like`.")
            begun = self._begun(connection, owner, conversation, question, sent.models, now)
            return begun | {"like": like and (sent.like, like)}

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
        seen = pictures.of_messages(connection, _with_pictures(branch))
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
            "turns": turns(branch, seen, given.text),
            "memories": given.memories,
            "remembers": prefers.memory,
            "pictures": seen.get(question.id, ()),
            "like": None,
        }

    def _started(self, person: Person, begun: dict[str, Any]) -> Response:
        """After the transaction: what grows is written down already."""
        put = Put(person, **{name: begun[name] for name in _PUT})
        for place, answer in enumerate(begun["answers"]):
            self._answers.start(answer.id, self._makers.pieces(put, answer, remember=place == 0))
        return JSONResponse(
            {
                "conversation": asdict(begun["conversation"]),
                "question": asdict(begun["question"]),
                "answers": [asdict(answer) for answer in begun["answers"]],
            }
        )


def _event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _with_pictures(branch: Sequence[Message]) -> list[int]:
    """The questions whose pictures the model is given: the newest. Pure."""
    found, count = [], 0
    for one in reversed(branch):
        own = len(one.facts.get("pictures", ())) if one.role == "user" else 0
        count += own
        if own and count <= PICTURES:
            found.append(one.id)
    return found
