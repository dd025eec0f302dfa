"""A view of a run as one JSON document: what the page draws and `run watch --json` prints."""

import math
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from archipel.ledger.curve import CurvePoint
from archipel.ledger.history import Round
from archipel.ledger.schema import Era
from archipel.ledger.view import RunView, SiteView

_CURVES_OF_SITES = 8  # beyond these a drawing shows nothing, and the document only grows


def document(view: RunView, url: str) -> dict[str, Any]:
    """All of `view` in numbers, text, lists and objects; what is unknown is None.

    Losses are nats per token, times seconds since 1970 by the sites' clocks; a curve is a list of
    [tokens, time, loss].
    """
    spec = view.spec
    with_curves = len(view.sites) <= _CURVES_OF_SITES
    return {
        "url": shown_url(url),
        "state": view.state,
        "model": str(spec.model.get("model_type", "")),
        "codec": spec.codec,
        "fragments": spec.fragments,
        "sync_steps": view.sync_steps or None,
        "sync_by_link": spec.sync_steps is None,
        "heartbeat_seconds": spec.heartbeat_seconds,
        "tokens": view.tokens,
        "budget_tokens": view.budget_tokens,
        "rounds": view.rounds,
        "tokens_per_second": _finite(view.tokens_per_second, 1),
        "loss": _finite(view.loss, 4),
        "utilisation": _finite(view.utilisation, 4),
        "eta_seconds": _finite(view.eta_seconds, 0),
        "bytes_per_token": _finite(view.bytes_per_token, 3),
        "site_hours": _finite(view.hours, 4),
        "cost": _finite(view.cost, 4),
        "curve": _curve(view.curve),
        "sites": [_site(site, with_curve=with_curves) for site in view.sites],
        "recent": [_round(found, spec.fragments) for found in view.recent],
        "refusals": [asdict(refusal) for refusal in view.refusals],
        "rolled_back": _rolled_back(view.era),
        "diverged": list(view.diverged),
        "unreadable": list(view.unreadable),
        "pieces_behind": view.pieces_behind,
    }


def shown_url(url: str) -> str:
    """A URL without what may be secret in it: a user's name and password, a query."""
    parts = urlsplit(url)
    if not parts.scheme:
        return url
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _site(site: SiteView, *, with_curve: bool) -> dict[str, Any]:
    beat = site.heartbeat
    now = 1 if site.is_current else 0
    return {
        "name": beat.site,
        "state": site.state,
        "seen": site.seen.isoformat(),
        "hardware": beat.hardware,
        "session": beat.session,
        "step": beat.step,
        "loss": _finite(beat.loss, 4),
        "tokens_per_second": _finite(site.tokens_per_second, 1),
        "busy": _finite(now * beat.busy, 4) or None,
        "up_bytes_per_second": _finite(now * beat.up_bytes_per_second, 0) or None,
        "down_bytes_per_second": _finite(now * beat.down_bytes_per_second, 0) or None,
        "round_trip_seconds": _finite(now * beat.round_trip_seconds, 4) or None,
        "trained_tokens": site.trained_tokens,
        "bytes_out": site.bytes_out,
        "bytes_in": site.bytes_in,
        "merge_duty": list(site.duty),
        "commits_put": beat.commits_put,
        "contributed": site.contributed,
        "refused": site.refused,
        "hours": _finite(site.hours, 4),
        "cost": _finite(site.cost, 4),
        "curve": _curve(site.curve) if with_curve else [],
    }


def _round(found: Round, fragments: int) -> dict[str, Any]:
    return {
        "round": found.number,
        "fragment": found.number % fragments,
        "by": found.by,
        "time": found.time,
        "merged": None if found.merged is None else list(found.merged),
        "late": list(found.late),
        "refused": [{"site": site, "reason": reason} for site, reason in found.refused],
    }


def _rolled_back(era: Era | None) -> dict[str, Any] | None:
    """The last rollback, after which all else here begins anew."""
    if era is None:
        return None
    return {"era": era.number, "without": list(era.without), "reason": era.reason}


def _curve(points: tuple[CurvePoint, ...]) -> list[list[float]]:
    return [[round(p.tokens), round(p.time, 1), round(p.loss, 4)] for p in points]


def _finite(value: float | None, digits: int) -> float | None:
    return round(value, digits) if value is not None and math.isfinite(value) else None
