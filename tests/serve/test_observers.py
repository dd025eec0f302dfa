"""Several look at answers at once, each at those that it wants."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

from archipel.serve.access import Visit
from archipel.serve.dispatch import Dispatcher
from archipel.serve.observers import Seen, Several, Usual
from archipel.serve.question import Question

_ANY = cast("Any", None)


@dataclass
class _Looker:
    route: str
    seen: list[Question] = field(default_factory=list)
    has_left: bool = False

    def wants(self, route: str, visit: Visit) -> Seen | None:
        return self._see if route == self.route else None

    def _see(self, dispatcher: Dispatcher, question: Question, usual: Usual) -> None:
        self.seen.append(question)

    async def leave(self) -> None:
        self.has_left = True


def test_each_sees_what_it_wants_and_all_leave() -> None:
    lookers = [_Looker("chat"), _Looker("chat"), _Looker("other")]
    several = Several(lookers)
    assert several.wants("nothing", _ANY) is None
    for route in ("chat", "other", "chat"):
        seen = several.wants(route, _ANY)
        assert seen is not None
        seen(_ANY, Question("/chat/completions", {"model": route}, None), _ANY)
    asyncio.run(several.leave())
    assert [len(one.seen) for one in lookers] == [2, 2, 1]
    assert all(one.has_left for one in lookers)
