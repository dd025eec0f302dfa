"""What the comparisons of a shadowed route say, all together."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from sqlalchemy import Connection, Row, select

from archipel.serve.accounts.limits import NANOS
from archipel.serve.accounts.tables import shadow_answers


@dataclass(frozen=True)
class Side:
    """One side's answers: seconds until they were whole, tokens and cost of all."""

    seconds_p50: float
    seconds_p95: float
    completion_tokens: int
    cost: float  # in the currency


@dataclass(frozen=True)
class Report:
    """Of one candidate. `usual` and `its` are of the questions that it answered."""

    candidate: str
    compared: int
    failed: int
    same: int
    words_p50: float | None  # median F1 of the answers' words
    calls: int  # answers in which one side or both call tools
    calls_agree: int
    usual: Side | None
    its: Side | None


def reports(connection: Connection, route: str) -> list[Report]:
    """One for each candidate that the route has had, by name."""
    wanted = select(shadow_answers).where(shadow_answers.c.route == route)
    by_candidate: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(wanted.order_by(shadow_answers.c.candidate)):
        by_candidate.setdefault(row.candidate, []).append(row)
    return [_report(candidate, rows) for candidate, rows in by_candidate.items()]


def _report(candidate: str, rows: Sequence[Row[Any]]) -> Report:
    answered = [row for row in rows if row.outcome == "answered"]
    usual = [(row.seconds, row.completion_tokens, row.nanos) for row in answered]
    its = [
        (row.candidate_seconds, row.candidate_completion_tokens, row.candidate_nanos)
        for row in answered
    ]
    return Report(
        candidate=candidate,
        compared=len(rows),
        failed=len(rows) - len(answered),
        same=sum(row.same for row in answered),
        words_p50=median(row.words for row in answered) if answered else None,
        calls=sum(row.calls_agree is not None for row in answered),
        calls_agree=sum(bool(row.calls_agree) for row in answered),
        usual=_side(usual),
        its=_side(its),
    )


def _side(answers: Sequence[tuple[float, int, int]]) -> Side | None:
    if not answers:
        return None
    seconds = [one[0] for one in answers]
    slow = quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    cost = sum(one[2] for one in answers) / NANOS
    return Side(median(seconds), slow, sum(one[1] for one in answers), cost)
