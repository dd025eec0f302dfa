"""The login's pages for those who have a password: in, out, who one is, another password."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qsl

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from archipel.errors import ConfigError
from archipel.serve.accounts import attempts
from archipel.serve.accounts.passwords import Busy, Comparer
from archipel.serve.accounts.people import Person, password_of, person_by_name
from archipel.serve.accounts.people_office import PeopleOffice
from archipel.serve.api_error import ApiError, retry_after
from archipel.serve.body import read_body
from archipel.serve.login.door import Door
from archipel.serve.login.page import page, problem, shown, static_file, words
from archipel.serve.login.way_back import origin_of

HOME = "/me"  # where a login leads
_FORM_SECONDS = 20.0
_FIELDS = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoginPages:
    """`label` names the OpenID provider where people may log in too, if there is one."""

    door: Door
    comparer: Comparer
    label: str | None = None

    def routes(self) -> list[BaseRoute]:
        """What the service answers for them."""
        return [
            Route("/login", shown(self.form)),
            Route("/login", shown(self.log_in), methods=["POST"]),
            Route("/logout", shown(self.log_out), methods=["POST"]),
            Route("/me", shown(self.me)),
            Route("/me/password", shown(self.change_password), methods=["POST"]),
            Route("/login/style.css", static_file("style.css", "text/css")),
            Route("/login/icon.svg", static_file("icon.svg", "image/svg+xml")),
        ]

    async def form(self, request: Request) -> Response:
        """The page to log in."""
        self.door.check_place(request)
        response = self._form(request, None, 200)
        self.door.remember_way_back(request, response)
        return response

    async def log_in(self, request: Request) -> Response:
        """With a name and a password. Neither the answer nor the time that it takes tells whether
        there is somebody of this name."""
        self.door.check_form(request)
        sent = await _read_form(request)
        name, its = sent.get("name", "").strip(), words(request)
        if (wait := await self._wait(request, name)) > 0:
            early = self._form(request, its["wait"].format(seconds=int(wait) + 1), 429)
            early.headers.update(retry_after(wait + 1))
            return early
        known = await self._known(name)
        entered = None
        if await self._matches(request, sent.get("password", ""), known):
            address = _address(request)

            def confirmed(connection: Connection, _: float) -> Person | None:
                """None: disabled, or the password changed, while it was compared."""
                if password_of(connection, name) != known:
                    return None
                attempts.forgive(connection, name, address)
                return person_by_name(connection, name)

            entered = await self.door.enter(request, confirmed, HOME)
        if entered is None:
            _log.warning("a login was refused, from %s: wrong name or password", _address(request))
            return self._form(request, its["wrong"], 401)
        return entered

    async def log_out(self, request: Request) -> Response:
        """And back to the login."""
        self.door.check_form(request)
        return await self.door.leave(request)

    async def me(self, request: Request) -> Response:
        """Who is logged in."""
        person = await self.door.person_of(request)
        has_password = await self._known(person.name) is not None
        return page(request, person.name, _me(words(request), person, has_password))

    async def change_password(self, request: Request) -> Response:
        """One's own; all of one's sessions end."""
        self.door.check_form(request)
        person = await self.door.person_of(request)
        sent, its = await _read_form(request), words(request)
        if (wait := await self._wait(request, person.name)) > 0:
            return problem(request, its["wait"].format(seconds=int(wait) + 1), 429)
        known = await self._known(person.name)
        if not await self._matches(request, sent.get("old", ""), known):
            return problem(request, its["wrong"], 403)
        try:
            hashed = await self.comparer.hashed(sent.get("new", ""))
        except ConfigError:
            return problem(request, its["password_unfit"], 400)
        except Busy:
            raise _busy(request) from None

        def change(connection: Connection, now: float) -> None:
            attempts.forgive(connection, person.name, _address(request))
            PeopleOffice(connection, person.actor, now).set_password(person.name, hashed)

        await self.door.writing(change)
        return self._form(request, its["password_changed"], 200)

    async def _wait(self, request: Request, name: str) -> float:
        address, now = _address(request), self.door.clock()
        wait = await self.door.reading(lambda c: attempts.waiting(c, name, address, now))
        if wait > 0:
            return wait
        return await self.door.writing(lambda c, now: attempts.enter(c, name, address, now))

    async def _known(self, name: str) -> str | None:
        if not name.isprintable():  # PostgreSQL takes no NUL
            return None
        return await self.door.reading(lambda connection: password_of(connection, name))

    async def _matches(self, request: Request, password: str, known: str | None) -> bool:
        try:
            return await self.comparer.matches(password, known)
        except Busy:
            raise _busy(request) from None

    def _form(self, request: Request, said: str | None, status: int) -> Response:
        its = words(request)
        note = ""
        if said is not None:
            kind, role = ("done", "status") if status == 200 else ("problem", "alert")
            note = f'<p class="{kind}" role="{role}">{escape(said)}</p>'
        elsewhere = ""
        if self.label is not None:
            with_label = escape(its["log_in_with"].format(label=self.label))
            elsewhere = (
                f'<p class="or">{its["or"]}</p>'
                f'<a class="button quiet" href="/login/oidc">{with_label}</a>'
            )
        body = f"""<h1>{its["log_in"]}</h1>
      {note}
      <form method="post" action="/login">
        <label>{its["name"]}
          <input name="name" autocomplete="username" required autofocus maxlength="64">
        </label>
        <label>{its["password"]}
          <input name="password" type="password" autocomplete="current-password" required>
        </label>
        <button>{its["log_in"]}</button>
      </form>
      {elsewhere}"""
        way = self.door.way_back(request)
        return page(request, its["log_in"], body, status, leads_to=way and origin_of(way))


def _me(its: Mapping[str, str], person: Person, has_password: bool) -> str:
    projects = [f"{escape(name)} ({its[role]})" for name, role in person.projects.items()]
    password = f"""<details>
        <summary>{its["change_password"]}</summary>
        <form method="post" action="/me/password">
          <input value="{escape(person.name)}" autocomplete="username" hidden>
          <label>{its["old_password"]}
            <input name="old" type="password" autocomplete="current-password" required>
          </label>
          <label>{its["new_password"]}
            <input name="new" type="password" autocomplete="new-password" required minlength="12">
          </label>
          <p class="hint">{its["password_rule"]}</p>
          <button class="quiet">{its["change_password"]}</button>
        </form>
      </details>"""
    return f"""<h1><small>{its["logged_in_as"]}</small>{escape(person.name)}</h1>
      <dl>
        <dt>{its["role"]}</dt><dd>{its[person.role]}</dd>
        <dt>{its["email"]}</dt><dd>{escape(person.email or "–")}</dd>
        <dt>{its["projects"]}</dt><dd>{"<br>".join(projects) or its["no_projects"]}</dd>
      </dl>
      <a class="button" href="/admin/">{its["usage_and_keys"]}</a>
      {password if has_password else ""}
      <form method="post" action="/logout"><button class="quiet">{its["log_out"]}</button></form>"""


async def _read_form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise ApiError(415, "Send the form as application/x-www-form-urlencoded.")
    body = await read_body(request, _FORM_SECONDS)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        raise ApiError(400, "The form can't be read. Send it as the page does.") from error
    return dict(pairs)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _busy(request: Request) -> ApiError:
    return ApiError(503, words(request)["busy"], "busy", headers=retry_after(2))
