"""A question on its way through a policy: the first target that begins to answer has it.

The decisions are `routing` and `breaker`; this keeps their state and asks.
"""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp

from archipel.errors import ArchipelError
from archipel.serve.breaker import Breaker, RetryBudget
from archipel.serve.counting import usual_prompt_tokens
from archipel.serve.metrics import Metrics
from archipel.serve.providers import Directory
from archipel.serve.question import Question
from archipel.serve.routing import Policy, Target, beginning, candidates
from archipel.serve.telemetry import Tracer
from archipel.serve.translation import Unmappable
from archipel.serve.upstream import Answer, Refused, Unavailable, ask

_log = logging.getLogger(__name__)


class NoAnswer(ArchipelError):
    """No target of a policy could answer. `retry_seconds`: when the next may be asked."""

    def __init__(self, message: str, retry_seconds: float) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


@dataclass(frozen=True)
class TargetState:
    """How a target's breaker stands."""

    state: str  # closed, open, half_open
    failures: int  # in a row
    rests_seconds: float  # until it may be asked again


class Dispatcher:
    """Asks the targets of a directory's policies, over one client session.

    `draw` gives bytes by which weighted targets are chosen; `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        directory: Directory,
        session: aiohttp.ClientSession,
        *,
        draw: Callable[[], bytes],
        metrics: Metrics,
        tracer: Tracer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._session = session
        self._draw = draw
        self._metrics = metrics
        self._tracer = tracer
        self._clock = clock
        self._breakers: defaultdict[Target, Breaker] = defaultdict(Breaker)
        self._budgets: dict[Policy, RetryBudget] = {}
        metrics.follow(self._open_breakers)

    async def answer(self, name: str, question: Question) -> Answer:
        """The first answer that begins.

        Raises:
            NoAnswer: no target of the policy gives one.
            Refused: the question is wrong.
            Unmappable: no provider of the policy has a word for what is asked.
        """
        policy = self._directory.policies[name]
        waiting = deque(self._candidates(policy, question))
        running: dict[asyncio.Task[Answer], Target] = {}
        problems: list[Unavailable | Unmappable] = []
        self._budgets[policy] = self._budget(policy).asked()

        def ask_next() -> None:
            target = waiting.popleft()
            running[asyncio.create_task(self._ask(target, question))] = target

        try:
            if waiting:
                ask_next()
            while running:
                hedge = policy.hedge_seconds if waiting and question.streams else None
                done, _ = await asyncio.wait(
                    running, timeout=hedge, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    target = running.pop(task)
                    if not (problem := _problem(task)):
                        return task.result()
                    problems.append(problem)
                    _log.warning("%s: %s: %s", name, target.shown, _said(problem))
                if waiting and (not running or not done) and self._may_ask_more(policy):
                    ask_next()
        finally:
            for task, target in running.items():
                task.cancel()
                task.add_done_callback(_close)
                self._metrics.let_go(target.provider, usual_prompt_tokens(question.fields))
        if problems and isinstance(problems[-1], Unmappable):
            raise problems[-1]
        reasons = "; ".join(map(_said, problems)) or "every target rests"
        raise NoAnswer(reasons, self._rest_seconds(policy))

    def state_of(self, target: Target) -> TargetState:
        """How a target is, as this dispatcher knows it."""
        breaker, now = self._breakers.get(target, Breaker()), self._clock()
        rests = max(0.0, breaker.until - now)
        return TargetState(breaker.state(now), breaker.failures, rests)

    def _candidates(self, policy: Policy, question: Question) -> list[Target]:
        now, breakers = self._clock(), self._breakers
        drained = self._directory.drained
        resting = {
            target
            for target in policy.targets
            if target.provider in drained or not breakers[target].admits(now)
        }
        draw = beginning(question.fields) if policy.sticky else self._draw()
        targets = candidates(policy, draw, resting)
        return self._with_replicas(targets, draw, policy) if self._directory.replicated else targets

    def _with_replicas(self, targets: list[Target], draw: bytes, policy: Policy) -> list[Target]:
        now, replicated, found = self._clock(), self._directory.replicated, []
        for target in targets:
            pool = replicated.get(target.provider)
            all_of_it = pool.targets(target, draw, sticky=policy.sticky) if pool else [target]
            found += [each for each in all_of_it if self._breakers[each].admits(now)]
        return found

    def _budget(self, policy: Policy) -> RetryBudget:
        full = RetryBudget(policy.retry_share, policy.retry_burst, policy.retry_burst)
        return self._budgets.get(policy, full)

    def _may_ask_more(self, policy: Policy) -> bool:
        left = self._budget(policy).spent()
        self._budgets[policy] = left or self._budget(policy)
        return left is not None

    async def _ask(self, target: Target, question: Question) -> Answer:
        provider = self._directory.provider(target)
        with self._counted(target):
            if self._tracer is None:
                return await ask(self._session, provider, question, target)
            with self._tracer.target(target) as headers:
                return await ask(self._session, provider, question, target, headers)

    @contextmanager
    def _counted(self, target: Target) -> Iterator[None]:
        """Tell the target's breaker, and the metrics, what came of a request."""
        breakers, gave = self._breakers, self._metrics.provider_gave
        breakers[target] = breakers[target].begun()
        try:
            yield
        except Unavailable:
            breakers[target] = breakers[target].failed(self._clock())
            gave(target.provider, "failed")
            raise
        except Refused:
            breakers[target] = breakers[target].succeeded()
            gave(target.provider, "refused")
            raise
        except BaseException:  # cancelled, mostly: it says nothing about the provider
            breakers[target] = breakers[target].abandoned()
            gave(target.provider, "abandoned")
            raise
        breakers[target] = breakers[target].succeeded()
        gave(target.provider, "answered")

    def _open_breakers(self) -> dict[tuple[str, str], bool]:
        """Of all targets that policies name now, by provider and its model; those of several
        policies are one, open if one is."""
        found: dict[tuple[str, str], bool] = {}
        for policy in self._directory.policies.values():
            for target in policy.targets:
                names = target.provider, target.model
                breaker = self._breakers.get(target, Breaker())  # adds none: a thread asks
                found[names] = found.get(names, False) or breaker.is_open
        return found

    def _rest_seconds(self, policy: Policy) -> float:
        until = min(self._breakers[target].until for target in policy.targets)
        return max(0.0, until - self._clock())


def _problem(task: asyncio.Task[Answer]) -> Unavailable | Unmappable | None:
    """Why another target is to be asked; what else a request raised is raised again."""
    error = task.exception()
    if error is None or isinstance(error, Unavailable | Unmappable):
        return error
    raise error


def _said(problem: Unavailable | Unmappable) -> str:
    """A problem for the log; an `Unmappable` quotes what the client wrote."""
    if isinstance(problem, Unmappable):
        return f"it has no word for {problem.param}"
    return str(problem)


def _close(task: asyncio.Task[Answer]) -> None:
    """Nobody reads this answer: another came first, or the client has left."""
    if not task.cancelled() and not task.exception():
        task.result().close()
