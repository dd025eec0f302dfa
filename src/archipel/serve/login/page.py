"""Pages of the service: HTML that works without JavaScript, in the reader's language.

Nothing on a page comes from elsewhere, and no other site may show it in a frame.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from html import escape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from archipel.serve.api_error import ApiError

LANGUAGES = ("en", "fr")
Endpoint = Callable[[Request], Awaitable[Response]]
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action {}; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer, a browser's own forms say `Origin: null`
    "Cache-Control": "no-store",
}


def language(request: Request) -> str:
    """The first of the reader's languages that there is; English if there is none."""
    weighed: list[tuple[float, int, str]] = []
    for part in request.headers.get("accept-language", "")[:1000].split(","):
        name, _, weight = part.partition(";q=")
        code = name.strip()[:2].lower()
        if code in LANGUAGES:
            weighed.append((-_number(weight), len(weighed), code))
    return min(weighed)[2] if weighed else LANGUAGES[0]


def words(request: Request) -> Mapping[str, str]:
    """The words of the pages in the reader's language."""
    return _words(language(request))


def page(
    request: Request, title: str, body: str, status: int = 200, leads_to: str | None = None
) -> Response:
    """A whole page. `title` is text, `body` HTML in which all that is not ours is escaped.
    `leads_to`: the origin to which its forms may lead, beside ours."""
    html = f"""<!doctype html>
<html lang="{language(request)}">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>{escape(title)} · Archipel</title>
    <link rel="icon" href="/login/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/login/style.css">
  </head>
  <body>
    <main>
      <p class="brand"><img src="/login/icon.svg" alt="" width="28" height="28">Archipel</p>
      {body}
    </main>
  </body>
</html>
"""
    policy = _POLICY.format(f"'self' {leads_to}" if leads_to else "'self'")
    return HTMLResponse(html, status, _HEADERS | {"Content-Security-Policy": policy})


def problem(request: Request, said: str, status: int) -> Response:
    """A page that says what is wrong, with the way back to the login. `said` is text."""
    its = words(request)
    body = (
        f'<p class="problem" role="alert">{escape(said)}</p>'
        f'<a class="button" href="/login">{escape(its["again"])}</a>'
    )
    return page(request, its["problem"], body, status)


def shown(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose `ApiError` is a page; who is not logged in is sent to the login."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ApiError as error:
            if error.status == 401:
                return RedirectResponse("/login", 303)
            response = problem(request, str(error), error.status)
            response.headers.update(error.headers or {})
            return response

    return answer


def static_file(name: str, media_type: str) -> Endpoint:
    """An endpoint for one of our own files."""
    content = (files(__package__) / "static" / name).read_bytes()

    async def answer(request: Request) -> Response:
        headers = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Response(content, headers=headers, media_type=media_type)

    return answer


@cache
def _words(code: str) -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(
        (files(__package__) / "languages" / f"{code}.json").read_text("utf-8")
    )
    return found


def _number(weight: str) -> float:
    try:
        return float(weight or 1)
    except ValueError:
        return 0.0
