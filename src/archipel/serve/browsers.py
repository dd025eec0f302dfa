"""Pages and plugins of other origins that may ask the service, as browsers want it told (CORS)."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

_HEADERS = ("Authorization", "Content-Type", "X-Api-Key", "Anthropic-Version")


def open_to(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The service, which tells browsers that these origins may ask. They get no cookies: whoever
    asks sends a key."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=_HEADERS,
    )
