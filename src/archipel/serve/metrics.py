"""What the service counts and times, and how Prometheus reads it.

Labels hold names from the settings and codes of ours only: no key, no text, no unknown name.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import cache, partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from archipel.hosts import LOCAL_HOSTS, is_loopback
from archipel.serve.api_error import ApiError
from archipel.serve.counting import Tokens
from archipel.serve.routing import Target
from archipel.serve.rules import Rule

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FIRST_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_WHOLE_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_BOOKS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 10)
_CODES = frozenset(
    {
        *("accounts_unavailable", "context_length_exceeded", "forbidden", "insufficient_quota"),
        *("invalid_api_key", "invalid_json", "invalid_value", "model_not_found", "price_unknown"),
        *(
            "content_policy_violation",
            "provider_error",
            "provider_unavailable",
            "rate_limit_exceeded",
        ),
        *("unsupported", "unsupported_by_provider"),
    }
)

_Breakers = Callable[[], Mapping[tuple[str, str], bool]]


class Metrics:
    """Of one service, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        labels = ["model", "endpoint", "outcome", "code"]
        requests = counter("archipel_serve_requests", "Requests that have ended.", labels)
        self.under_way = gauge("archipel_serve_requests_under_way", "Requests not ended yet.")
        said = "From a request to the beginning of its answer."
        name = "archipel_serve_first_byte_seconds"
        first_byte = histogram(name, said, ["model"], buckets=_FIRST_SECONDS)
        said = "From a request to the end of its answer, where one had begun."
        name = "archipel_serve_request_seconds"
        whole = histogram(name, said, ["model"], buckets=_WHOLE_SECONDS)
        said = "Tokens of answers; estimated where the provider does not say."
        tokens = counter("archipel_serve_tokens", said, ["model", "kind"])
        said = "Requests to a provider, by what came of them."
        providers = counter("archipel_serve_provider_requests", said, ["provider", "result"])
        said = "Requests to a provider that were let go before they answered."
        let_go = counter("archipel_serve_let_go", said, ["provider"])
        said = "Prompt tokens of those, estimated: a provider may charge for them."
        let_go_tokens = counter("archipel_serve_let_go_prompt_tokens", said, ["provider"])
        said = "Matches of content rules."
        rules = counter("archipel_serve_rule_matches", said, ["rule", "side", "act"])
        said = "That entering a request in the books took."
        name = "archipel_serve_reservation_seconds"
        self._reservations = histogram(name, said, buckets=_BOOKS_SECONDS)
        said = "Transactions of the books that failed."
        self._books_failures = counter("archipel_serve_books_failures", said)
        self.replicas = gauge("archipel_serve_replicas", "Engines on the cluster.", ["model"])
        said = "Streams in a model's engines on the cluster, whoever asked."
        self.replica_streams = gauge("archipel_serve_replica_streams", said, ["model"])
        # By label values: to look one up in the library takes several times as long.
        self.requests, self.tokens = cache(requests.labels), cache(tokens.labels)
        self.first_byte, self.whole = cache(first_byte.labels), cache(whole.labels)
        self._providers, self._all_providers = cache(providers.labels), providers
        self._rules = cache(rules.labels)
        self._let_go, self._let_go_tokens = cache(let_go.labels), cache(let_go_tokens.labels)

    def asked(self, endpoint: str) -> "Course":
        """A request has come."""
        return Course(self, endpoint)

    def provider_gave(self, provider: str, result: str) -> None:
        """A request to a provider is over: answered, failed, refused or abandoned."""
        self._providers(provider, result).inc()

    def providers_gave(self) -> dict[tuple[str, str], float]:
        """How many requests each provider has answered, failed…, since the start."""
        return {
            (sample.labels["provider"], sample.labels["result"]): sample.value
            for metric in self._all_providers.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }

    def let_go(self, provider: str, prompt_tokens: int) -> None:
        """A request to a provider is ended from here: another was faster, or the client left."""
        self._let_go(provider).inc()
        self._let_go_tokens(provider).inc(prompt_tokens)

    def matched(self, rule: Rule, side: str) -> None:
        """A content rule matches, in a prompt (in) or in an answer (out)."""
        self._rules(rule.name, side, rule.act).inc()

    def reserving(self) -> AbstractContextManager[object]:
        """For the time in which a request is entered in the books."""
        return self._reservations.time()

    def books_failed(self) -> None:
        """A transaction of the books has failed."""
        self._books_failures.inc()

    def follow(self, breakers: _Breakers) -> None:
        """Show whether breakers are open, by provider and its model, as they are when asked."""
        self._registry.register(_OpenBreakers(breakers))

    def text(self) -> bytes:
        """All of it in Prometheus' format."""
        return generate_latest(self._registry)


class Course:
    """A request from its arrival to its end. An error that leaves the block is its end."""

    def __init__(self, metrics: Metrics, endpoint: str) -> None:
        self.id = ""
        self.endpoint = endpoint
        self.key = ""  # the part of it that may be shown
        self.model = ""  # until it is known to be one of ours
        self.target: Target | None = None  # who answers
        self.followers: list[Follower] = []  # hear of its end
        self._metrics = metrics
        self._arrived = time.perf_counter()
        self._has_begun = False
        metrics.under_way.inc()

    def __enter__(self) -> "Course":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self.ended(*_end(error))

    def begun(self) -> None:
        """The answer begins."""
        self._has_begun = True
        self._metrics.first_byte(self.model).observe(time.perf_counter() - self._arrived)

    def ended(self, outcome: str, code: str = "", tokens: Tokens | None = None) -> None:
        """The end: answered, refused, failed or left."""
        metrics = self._metrics
        metrics.under_way.dec()
        metrics.requests(self.model, self.endpoint, outcome, code).inc()
        if self._has_begun:
            metrics.whole(self.model).observe(time.perf_counter() - self._arrived)
        if tokens:
            metrics.tokens(self.model, "prompt").inc(tokens.prompt)
            metrics.tokens(self.model, "completion").inc(tokens.completion)
        for follower in self.followers:
            follower(self, outcome, code, tokens)

    def seconds(self) -> float:
        """Since it came."""
        return time.perf_counter() - self._arrived


Follower = Callable[[Course, str, str, Tokens | None], None]  # told the outcome, code and tokens


class _OpenBreakers(Collector):
    def __init__(self, breakers: _Breakers) -> None:
        self._breakers = breakers

    def collect(self) -> Iterable[Metric]:
        gauge = GaugeMetricFamily(
            "archipel_serve_breaker_open",
            "Whether a provider's model is left alone after failures.",
            labels=["provider", "provider_model"],
        )
        for names, is_open in self._breakers().items():
            gauge.add_metric(names, is_open)
        yield gauge


def metrics_app(metrics: Metrics, host: str) -> Starlette:
    """`/metrics`. On this machine's own address it answers to this machine's names only."""

    async def show(request: Request) -> Response:
        text = await asyncio.to_thread(metrics.text)  # some ms for many models
        return Response(text, headers={"Content-Type": _CONTENT_TYPE})

    names = [host, *LOCAL_HOSTS]
    local_only = Middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)
    return Starlette(
        routes=[Route("/metrics", show)], middleware=[local_only] if is_loopback(host) else []
    )


def _end(error: BaseException) -> tuple[str, str]:
    """The outcome and the code of a request that an error ended."""
    if isinstance(error, ClientDisconnect | asyncio.CancelledError):
        return "left", ""
    if not isinstance(error, ApiError):
        return "failed", "500"
    code = error.code if error.code in _CODES else None  # a provider's may be any text
    return "failed" if error.status >= 500 else "refused", code or str(error.status)
