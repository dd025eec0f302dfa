"""The actions that the page offers, as data."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from archipel.assistant.actions.languages import LANGUAGES
from archipel.assistant.actions.table import ACTIONS, Action
from archipel.assistant.api.asked import answered
from archipel.assistant.people import WhoAsks


class Actions:
    """The endpoint of the actions' table; an action is done by asking a question with it."""

    def __init__(self, who: WhoAsks) -> None:
        self._who = who

    def routes(self) -> list[BaseRoute]:
        """What the page calls."""
        return [Route("/api/actions", answered(self.listed))]

    async def listed(self, request: Request) -> Response:
        """All actions with their fields' choices, and the languages' own names by code."""
        await self._who(request)
        languages = {code: language.own for code, language in LANGUAGES.items()}
        actions = [_shown(action) for action in ACTIONS.values()]
        return JSONResponse({"actions": actions, "languages": languages})


def _shown(action: Action) -> dict[str, object]:
    return {
        "name": action.name,
        "fields": [asdict(field) for field in action.fields],
        "shown": action.shown,
        "characters": action.characters,
        "documents": action.takes_documents,
        "files": action.gives_files,
    }
