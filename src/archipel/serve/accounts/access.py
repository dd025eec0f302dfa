"""Keys for many: who sends one, what it opens, and what each request takes of its limits."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy import Connection
from starlette.requests import Request

from archipel.database import Database
from archipel.errors import DatabaseError
from archipel.serve.access import Caller, Keep, Visit, sent_key, unknown_key
from archipel.serve.accounts import keys
from archipel.serve.accounts.books import Asked, OverLimit, Reservation, Took
from archipel.serve.accounts.keys import Key
from archipel.serve.accounts.limits import Need, What, seconds_left
from archipel.serve.accounts.meter import Meter
from archipel.serve.api_error import ApiError, retry_after
from archipel.serve.counting import (
    Tokens,
    answers,
    most_completion_tokens,
    most_prompt_tokens,
)
from archipel.serve.media import Media
from archipel.serve.metrics import Metrics
from archipel.serve.question import Question
from archipel.serve.routing import Policy, Price, Target
from archipel.serve.ruled import Watch, asked

_REMEMBERED_SECONDS = 1.0  # that a key is still good for after it was revoked
_REMEMBERED_KEYS = 10_000
_FREE = Price(0, 0)
_Of = TypeVar("_Of")


@dataclass(frozen=True)
class Terms:
    """On what terms a key asks: where its requests are settled, and at what share of the price."""

    settle: Callable[[Reservation, Took], None]
    batch: str | None = None  # whose lines the requests are; None: they are live
    batch_price_share: float = 1.0

    def nanos(self, price: Price, prompt_tokens: int, completion_tokens: int) -> int:
        """What a request costs; rounded up, so that no budget is overspent."""
        full = price.nanos(prompt_tokens, completion_tokens)
        return full if self.batch is None else math.ceil(full * self.batch_price_share)


@dataclass(frozen=True)
class AccountAccess:
    """Keys and limits from a database; `clock` gives seconds since the epoch."""

    database: Database
    meter: Meter
    pepper: bytes
    answer_tokens: int  # that a limited key's answer may have where the client sets no limit
    known: dict[str, tuple[float, Key]]
    clock: Callable[[], float] = time.time
    metrics: Metrics = field(default_factory=Metrics)
    is_local = False

    async def admit(self, request: Request) -> Caller:
        """As `Access.admit`."""
        endpoint = request.scope["path"].removeprefix("/v1")
        key = await self.key(request, endpoint)
        return _KeyCaller(key, endpoint, self, Terms(self.meter.settle))

    async def key(self, request: Request, endpoint: str) -> Key:
        """The key that a request has, for an endpoint below /v1.

        Raises:
            ApiError: it may not use it.
        """
        secret = sent_key(request)
        if not keys.looks_like_key(secret):
            raise unknown_key()
        hashed = keys.digest(secret, self.pepper)
        return may_use(await self._known(hashed, keys.find, hashed), endpoint)

    async def key_by_id(self, id: int, endpoint: str) -> Key:
        """As `key`, without its secret."""
        return may_use(await self._known(f"#{id}", keys.find_by_id, id), endpoint)

    async def _known(
        self, name: str, find: Callable[[Connection, _Of, float], Key | None], of: _Of
    ) -> Key:
        now = self.clock()
        until, key = self.known.get(name, (0.0, None))
        if key is not None and now < until:
            return key

        def look_up() -> Key | None:
            with self.database.reading() as connection:
                return find(connection, of, now)

        try:
            found = await asyncio.to_thread(look_up)
        except DatabaseError as error:
            raise no_books() from error
        if found is None:
            self.known.pop(name, None)
            raise unknown_key()
        if len(self.known) >= _REMEMBERED_KEYS:
            self.known.clear()
        self.known[name] = now + _REMEMBERED_SECONDS, found
        return found


@dataclass(frozen=True)
class LineAccess:
    """A batch's lines are asked by the key that made the batch, as long as it is good."""

    accounts: AccountAccess
    key: int
    terms: Terms
    is_local = False

    async def admit(self, request: Request) -> Caller:
        """As `Access.admit`."""
        endpoint = request.scope["path"].removeprefix("/v1")
        key = await self.accounts.key_by_id(self.key, endpoint)
        return _KeyCaller(key, endpoint, self.accounts, self.terms)


@dataclass(frozen=True)
class _KeyCaller:
    key: Key
    endpoint: str  # that it asked; another API's question goes to /chat/completions
    access: AccountAccess
    terms: Terms

    @property
    def shown(self) -> str:
        return self.key.prefix

    def may_ask(self, model: str) -> bool:
        return self.key.models is None or model in self.key.models

    async def begin(self, question: Question, policy: Policy) -> Visit:
        watch = Watch(self.key.rules, self.access.metrics.matched) if self.key.rules else None
        if watch:
            question = await _allowed(question, watch)
        if isinstance(question, Media):
            need, hides_usage = self._media_need(question, policy), False
        else:
            question, need, hides_usage = self._bounded(question, policy)
        entry = Asked(self.key, self.endpoint, policy.name, need, self.terms.batch)
        try:
            reservation = await self.access.meter.reserve(entry)
        except OverLimit as error:
            raise _over_limit(error, self.access.clock()) from error
        except DatabaseError as error:
            raise no_books() from error
        return _Metered(
            question,
            _headers(reservation),
            hides_usage,
            watch.of("out") if watch and not question.is_media else None,
            self._keep(question),
            reservation,
            self.access.clock,
            self.terms,
        )

    def _keep(self, question: Question) -> Keep | None:
        key = self.key
        if key.keep_days is None or question.is_media:
            return None
        return Keep(key.project, key.id, self.endpoint, key.keep_days, key.keep_share)

    def _bounded(self, question: Question, policy: Policy) -> tuple[Question, Need, bool]:
        """The question with a limit to its answer where the key has limits, and so that a stream
        says what it took, which else is hidden; and the most that it can take."""
        fields, more = question.fields, dict[str, Any]()
        prompt, completion = most_prompt_tokens(fields), most_completion_tokens(fields)
        if question.endpoint == "/embeddings":
            completion = 0
        elif completion is None:
            completion = self.access.answer_tokens * answers(fields)
            if self._is_limited("tokens") or self._is_limited("money"):
                chats = question.endpoint == "/chat/completions"
                name = "max_completion_tokens" if chats else "max_tokens"
                more[name] = self.access.answer_tokens
        options: Mapping[str, Any] = fields.get("stream_options") or {}
        hides_usage = question.streams and not options.get("include_usage")
        if hides_usage:
            more["stream_options"] = {**options, "include_usage": True}
        if more:
            question = replace(question, fields={**fields, **more}, body=None)
        need = Need(prompt + completion, self._most_nanos(policy, prompt, completion))
        return question, need, hides_usage

    def _media_need(self, question: Media, policy: Policy) -> Need:
        """The most that pictures or a sound can take: tokens of the prompt, and their price."""
        prices = [_piece_price(target, question) for target in policy.targets]
        if None in prices and self._is_limited("money"):
            raise _no_price(policy)
        nanos = max(price or 0 for price in prices) * question.pieces
        return Need(most_prompt_tokens(question.fields), nanos)

    def _most_nanos(self, policy: Policy, prompt: int, completion: int) -> int:
        prices = [target.price for target in policy.targets]
        if None in prices and self._is_limited("money"):
            raise _no_price(policy)
        return max(self.terms.nanos(price or _FREE, prompt, completion) for price in prices)

    def _is_limited(self, what: What) -> bool:
        return any(limit.what == what for limit in self.key.limits)


@dataclass
class _Metered:
    question: Question
    headers: Mapping[str, str]
    hides_usage: bool
    watch: Watch | None
    keep: Keep | None
    reservation: Reservation
    clock: Callable[[], float]
    terms: Terms

    def ended(self, outcome: str, target: Target | None, tokens: Tokens | None) -> None:
        """Settle it."""
        tokens = tokens or Tokens(0, 0)
        nanos = 0
        if target and isinstance(self.question, Media):
            price = _piece_price(target, self.question) or 0
            nanos = price * self.question.pieces if outcome != "failed" else 0
        elif target:
            price_ = target.price or _FREE
            nanos = self.terms.nanos(price_, tokens.prompt, tokens.completion)
        took = Took(
            outcome=outcome,
            seconds=round(max(0.0, self.clock() - self.reservation.began), 3),
            provider=target.provider if target else None,
            provider_model=target.model if target else None,
            prompt_tokens=tokens.prompt,
            completion_tokens=tokens.completion,
            estimated=tokens.estimated,
            nanos=nanos,
        )
        self.terms.settle(self.reservation, took)


def _piece_price(target: Target, question: Media) -> int | None:
    return target.pieces.picture if question.makes_pictures else target.pieces.sound


def _no_price(policy: Policy) -> ApiError:
    return ApiError(
        403,
        f"A provider of {policy.name!r} has no price for this, so that a limit of money can't be "
        "kept. Ask the administrator to put prices into its route.",
        "price_unknown",
    )


async def _allowed(question: Question, watch: Watch) -> Question:
    """The question as its key's rules have it; in a thread: it may be long."""
    if isinstance(question, Media) and question.reads_speech and watch.of("out"):
        message = "This key has content rules for answers, and they can't read transcripts."
        raise ApiError(400, message, "content_policy_violation", "model")
    its = watch.of("in")
    fields = await asyncio.to_thread(asked, question.fields, its) if its else None
    return question if fields is None else replace(question, fields=fields, body=None)


def _headers(reservation: Reservation) -> dict[str, str]:
    """As OpenAI names them."""
    headers: dict[str, str] = {}
    for what, left in (("requests", reservation.requests), ("tokens", reservation.tokens)):
        if left is not None:
            headers |= {
                f"X-RateLimit-Limit-{what}": str(left.limit),
                f"X-RateLimit-Remaining-{what}": str(left.remaining),
                f"X-RateLimit-Reset-{what}": f"{left.reset_seconds:.0f}s",
            }
    return headers


def _over_limit(error: OverLimit, now: float) -> ApiError:
    limit, wanted = error.charge.limit, error.charge.amount
    if limit.what == "money":
        message = f"The {limit.scope}'s budget for this {limit.per} has no room for this request."
        return ApiError(429, message, "insufficient_quota")
    headers = retry_after(seconds_left(limit.per, now))
    if wanted > limit.amount:
        headers = {}  # to come back later is of no use
        message = (
            f"This request may take {wanted:,} {limit.what}; the {limit.scope}'s limit is "
            f"{limit.amount:,} a {limit.per}. Shorten it, or ask for a shorter answer."
        )
    elif limit.what == "concurrent":
        message = f"The {limit.scope} has {limit.amount:,} requests under way, its limit."
    else:
        message = f"The {limit.scope}'s limit is {limit.amount:,} {limit.what} a {limit.per}."
    return ApiError(429, message, "rate_limit_exceeded", headers=headers)


def may_use(key: Key, endpoint: str) -> Key:
    """The key, if it is for the endpoint below /v1.

    Raises:
        ApiError: it is not.
    """
    if key.endpoints is not None and endpoint not in key.endpoints:
        raise ApiError(403, f"This key is not for {endpoint}.", "forbidden")
    return key


def no_books() -> ApiError:
    """What clients are told while the database can't be used."""
    message = "The service can't reach its books, so it lets nobody ask. Send the request again."
    return ApiError(503, message, "accounts_unavailable", headers=retry_after(5))
