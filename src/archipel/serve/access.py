"""Who may ask: anybody on this machine, or who has the one key. `accounts/` has keys for many."""

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request

from archipel.serve.api_error import ApiError
from archipel.serve.counting import Tokens
from archipel.serve.question import Question
from archipel.serve.routing import Policy, Target
from archipel.serve.ruled import Watch


@dataclass(frozen=True)
class Keep:
    """That what is asked and answered is to be kept: whose, for how many days, which share."""

    project: int
    key: int
    endpoint: str  # that was asked
    days: float
    share: float


class Visit(Protocol):
    """A request that may be sent."""

    @property
    def question(self) -> Question:
        """What is to be sent: as it was asked, with a limit to the answer if that needs one."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """For the client."""
        ...

    @property
    def hides_usage(self) -> bool:
        """Whether the client did not ask for what its stream says of tokens."""
        ...

    @property
    def watch(self) -> Watch | None:
        """The content rules that its answer is to keep."""
        ...

    @property
    def keep(self) -> Keep | None:
        """Whether it is to be kept with its answer."""
        ...

    def ended(self, outcome: str, target: Target | None, tokens: Tokens | None) -> None:
        """Say how it ended: answered, failed or left."""
        ...


class Caller(Protocol):
    """Who asks. `shown`: the part of its key that may be shown, or nothing."""

    @property
    def shown(self) -> str: ...

    def may_ask(self, model: str) -> bool:
        """Whether it may use a public name."""
        ...

    async def begin(self, question: Question, policy: Policy) -> Visit:
        """Let it ask.

        Raises:
            ApiError: a limit has no room for it, or a content rule refuses it.
        """
        ...


class Access(Protocol):
    """How the service knows who asks."""

    @property
    def is_local(self) -> bool:
        """Whether only who uses this machine's own names is answered."""
        ...

    async def admit(self, request: Request) -> Caller:
        """Who asks, for an endpoint.

        Raises:
            ApiError: it may not.
        """
        ...


def sent_key(request: Request) -> str:
    """The key in a request's header, OpenAI's or Anthropic's; empty if there is none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")


def unknown_key() -> ApiError:
    """What who has no key is told, whatever is wrong with it."""
    message = "The API key is missing or wrong. Send it as `Authorization: Bearer KEY`."
    return ApiError(401, message, "invalid_api_key")


@dataclass(frozen=True)
class _Unmetered:
    question: Question
    headers: Mapping[str, str]
    hides_usage: bool = False
    watch: Watch | None = None
    keep: Keep | None = None

    def ended(self, outcome: str, target: Target | None, tokens: Tokens | None) -> None:
        pass


class _Anyone:
    shown = ""

    def may_ask(self, model: str) -> bool:
        return True

    async def begin(self, question: Question, policy: Policy) -> Visit:
        return _Unmetered(question, {})


@dataclass(frozen=True)
class LocalAccess:
    """Without keys: programs on this machine, and no page of another site in a browser here but
    those of `origins`."""

    origins: Sequence[str] = ()
    is_local = True

    async def admit(self, request: Request) -> Caller:
        """As `Access.admit`."""
        origin = request.headers.get("origin")
        ours = request.headers["host"]
        if origin and origin not in self.origins and origin.partition("://")[2] != ours:
            raise ApiError(403, f"Pages of {origin} may not use this service.", "forbidden")
        return _Anyone()


@dataclass(frozen=True)
class OneKeyAccess:
    """One key opens all."""

    key: str
    is_local = False

    async def admit(self, request: Request) -> Caller:
        """As `Access.admit`."""
        sent = sent_key(request).encode("latin-1")
        if not hmac.compare_digest(sent, self.key.encode()):
            raise unknown_key()
        return _Anyone()


def visible(names: Collection[str], caller: Caller) -> list[str]:
    """The public names that a caller may use."""
    return [name for name in names if caller.may_ask(name)]
