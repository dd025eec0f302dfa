"""OpenTelemetry traces: a span for each request, and in it one for each target that is asked.

Imported only where the settings have `[traces]`. Names are those of the semantic conventions for
generative models.
"""

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial

from opentelemetry.context import attach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from archipel import __version__
from archipel.serve.counting import Tokens
from archipel.serve.metrics import Course
from archipel.serve.routing import Target

_EXPORT_SECONDS = 2.0  # that a collector may take
_W3C = TraceContextTextMapPropagator()
_OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/messages": "chat",
    "/v1/responses": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
}


class Traces:
    """Sends spans to a collector, `url` (…:4318); `share` of the traces that begin here."""

    def __init__(self, url: str, share: float) -> None:
        resource = Resource.create({SERVICE_NAME: "archipel", SERVICE_VERSION: __version__})
        self._provider = TracerProvider(
            resource=resource, sampler=ParentBased(TraceIdRatioBased(share))
        )
        exporter = OTLPSpanExporter(f"{url}/v1/traces", timeout=_EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("archipel")

    def follow(self, course: Course, headers: Mapping[bytes, bytes]) -> None:
        """As `Tracer.follow`; a client's `traceparent` is the span's parent."""
        names = ("traceparent", "tracestate")
        sent = {name: headers.get(name.encode(), b"").decode("latin-1") for name in names}
        parent = _W3C.extract({name: said for name, said in sent.items() if said})
        span = self._tracer.start_span(course.endpoint, parent, SpanKind.SERVER)
        attach(set_span_in_context(span, parent))  # for this request's task and those it begins
        course.followers.append(partial(_end, span))

    @contextlib.contextmanager
    def target(self, target: Target) -> Iterator[Mapping[str, str]]:
        """As `Tracer.target`; its span ends when its answer has begun."""
        with self._tracer.start_as_current_span(
            f"ask {target.provider}",
            kind=SpanKind.CLIENT,
            attributes={
                "gen_ai.provider.name": target.provider,
                "gen_ai.request.model": target.model,
            },
            record_exception=False,  # its words are not ours to show
            set_status_on_exception=False,
        ) as span:
            headers: dict[str, str] = {}
            _W3C.inject(headers)
            try:
                yield headers
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _end(span: Span, course: Course, outcome: str, code: str, tokens: Tokens | None) -> None:
    if span.is_recording():
        operation = _OPERATIONS.get(course.endpoint, course.endpoint.removeprefix("/v1/"))
        span.update_name(f"{operation} {course.model}".strip())
        span.set_attribute("gen_ai.operation.name", operation)
        span.set_attribute("gen_ai.request.model", course.model)
        span.set_attribute("url.path", course.endpoint)
        span.set_attribute("archipel.request_id", course.id)
        span.set_attribute("archipel.outcome", outcome)
        if course.target:
            span.set_attribute("gen_ai.provider.name", course.target.provider)
            span.set_attribute("gen_ai.response.model", course.target.model)
        if tokens:
            span.set_attribute("gen_ai.usage.input_tokens", tokens.prompt)
            span.set_attribute("gen_ai.usage.output_tokens", tokens.completion)
        if outcome in ("failed", "refused"):
            span.set_attribute("error.type", code or outcome)
        if outcome == "failed":
            span.set_status(StatusCode.ERROR)
    span.end()
