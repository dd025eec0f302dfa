"""A run's metrics for Prometheus. Names and labels are documented in docs/train.md."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from archipel.ledger.view import RunView, SiteView

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_STATES = ("joining", "training", "waiting", "left", "done", "gone")

_OfSite = Callable[[SiteView], float | None]


def _current(name: str) -> _OfSite:
    """A figure of the heartbeat that is no longer true of a site that is gone."""

    def read(site: SiteView) -> float | None:
        value: float = getattr(site.heartbeat, name)
        return value or None if site.is_current else None

    return read


_SITE_GAUGES: tuple[tuple[str, str, _OfSite], ...] = (
    ("tokens_per_second", "Tokens a second now.", lambda s: s.tokens_per_second),
    ("loss", "Training loss, nats per token.", lambda s: s.heartbeat.loss),
    ("step", "Inner steps of its newest process.", lambda s: s.heartbeat.step),
    ("busy_ratio", "Share of its time in inner steps.", _current("busy")),
    (
        "up_bytes_per_second",
        "Upload rate measured.",
        _current("up_bytes_per_second"),
    ),
    (
        "down_bytes_per_second",
        "Download rate measured.",
        _current("down_bytes_per_second"),
    ),
    (
        "round_trip_seconds",
        "Round trip to the store.",
        _current("round_trip_seconds"),
    ),
    ("merge_duty_fragments", "Fragments whose rounds it merges.", lambda s: len(s.duty)),
    ("last_heartbeat_timestamp_seconds", "By the store's clock.", lambda s: s.seen.timestamp()),
)
_SITE_COUNTERS: tuple[tuple[str, str, _OfSite], ...] = (
    ("contributions", "Contributions merged.", lambda s: s.contributed),
    ("commits", "Rounds that its newest process decided.", lambda s: s.heartbeat.commits_put),
    ("hours", "Hours between first and last metrics of its processes.", lambda s: s.hours),
    ("cost", "Those hours at the price given.", lambda s: s.cost),
)
_OfRun = Callable[[RunView], float | None]
_RUN_GAUGES: tuple[tuple[str, str, _OfRun], ...] = (
    ("budget_tokens", "Tokens to train.", lambda v: v.budget_tokens),
    ("tokens_per_second", "All live sites together.", lambda v: v.tokens_per_second),
    ("loss", "Training loss of all sites, nats per token.", lambda v: v.loss),
    ("busy_ratio", "Mean of the training sites.", lambda v: v.utilisation),
    ("eta_seconds", "Until the budget is trained, at the speed of now.", lambda v: v.eta_seconds),
    ("bytes_per_token", "To and from the store.", lambda v: v.bytes_per_token),
    ("finished", "1 once the run is trained to its end.", lambda v: v.state == "finished"),
    ("diverged_rounds", "Recent rounds with unequal digests.", lambda v: len(v.diverged)),
)
_RUN_COUNTERS: tuple[tuple[str, str, _OfRun], ...] = (
    ("tokens", "Tokens trained.", lambda v: v.tokens),
    ("rounds", "Rounds committed.", lambda v: v.rounds),
)


class _RunCollector(Collector):
    def __init__(self, run: str, view: RunView) -> None:
        self._run = run
        self._view = view

    def collect(self) -> Iterable[Metric]:
        yield from self._of_run()
        yield from self._of_sites()

    def _of_run(self) -> Iterable[Metric]:
        for kind, table in ((GaugeMetricFamily, _RUN_GAUGES), (CounterMetricFamily, _RUN_COUNTERS)):
            for name, help_, read in table:
                family = kind(f"archipel_run_{name}", help_, labels=["run"])
                value = read(self._view)
                if value is not None:
                    family.add_metric([self._run], float(value))
                yield family

    def _of_sites(self) -> Iterable[Metric]:
        sites = [(site, [self._run, site.heartbeat.site]) for site in self._view.sites]
        labels = ["run", "site"]
        for kind, table in (
            (GaugeMetricFamily, _SITE_GAUGES),
            (CounterMetricFamily, _SITE_COUNTERS),
        ):
            for name, help_, read in table:
                family = kind(f"archipel_site_{name}", help_, labels=labels)
                for site, values in sites:
                    value = read(site)
                    if value is not None:
                        family.add_metric(values, float(value))
                yield family
        moved = CounterMetricFamily(
            "archipel_site_bytes",
            "To (out) and from (in) the store.",
            labels=[*labels, "direction"],
        )
        refused = CounterMetricFamily(
            "archipel_run_refusals", "Contributions not merged.", labels=labels
        )
        states = GaugeMetricFamily(
            "archipel_site_state", "1 for the state that it is in.", labels=[*labels, "state"]
        )
        for site, values in sites:
            moved.add_metric([*values, "out"], site.bytes_out)
            moved.add_metric([*values, "in"], site.bytes_in)
            refused.add_metric(values, site.refused)
            for state in _STATES:
                states.add_metric([*values, state], float(site.state == state))
        yield from (moved, refused, states)


def exposition(view: RunView | None, run: str) -> bytes:
    """The run in Prometheus' text format, labelled `run`; nothing before the first view."""
    registry = CollectorRegistry(auto_describe=False)
    if view:
        registry.register(_RunCollector(run, view))
    return generate_latest(registry)
