"""A bounded curve keeps the means, in whatever order its points come."""

import random

import pytest

from archipel.ledger.curve import Curve


def filled(points: list[tuple[str, int, float]]) -> Curve:
    curve = Curve(10)
    for site, tokens, loss in points:
        curve.add(site, tokens=tokens, time=float(tokens), loss=loss, weight=2.0)
    return curve


def test_a_short_curve_has_its_points_as_they_are() -> None:
    curve = filled([("a", 10, 3.0), ("a", 20, 2.0), ("b", 25, 4.0)])
    assert [(p.tokens, p.time, p.loss) for p in curve.of("a")] == [(10, 10, 3.0), (20, 20, 2.0)]
    assert [(p.tokens, p.loss) for p in curve.of_all()] == [(10, 3.0), (22.5, 3.0)]
    assert curve.of("nobody") == ()


def test_a_long_curve_stays_short_and_true() -> None:
    points = [("ab"[n % 2], 10 * n, 5.0 - n / 10_000) for n in range(20_000)]
    curve = filled(points)
    for name in ("a", "b"):
        assert 100 < len(curve.of(name)) <= 512
    for point in curve.of_all():
        assert point.loss == pytest.approx(5.0 - point.tokens / 100_000)
    assert [p.tokens for p in curve.of_all()] == sorted(p.tokens for p in curve.of_all())


def test_the_order_of_points_makes_no_difference() -> None:
    points = [("ab"[n % 2], 17 * n, 5.0 - n / 1_000) for n in range(3_000)]
    shuffled = random.Random(1).sample(points, len(points))
    for here, there in zip(filled(points).of("a"), filled(shuffled).of("a"), strict=True):
        assert here.tokens == pytest.approx(there.tokens)
        assert here.loss == pytest.approx(there.loss)


def test_a_site_twice_as_fast_weighs_twice() -> None:
    curve = Curve(10)
    curve.add("fast", tokens=5, time=0, loss=1.0, weight=200.0)
    curve.add("slow", tokens=6, time=0, loss=4.0, weight=100.0)
    assert curve.of_all()[0].loss == pytest.approx(2.0)
