"""What Prometheus scrapes, read by its own parser."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from archipel.watch.exposition import exposition
from tests.ledger.paper import PaperRun
from tests.watch.conftest import feed_of


def scraped(body: bytes) -> dict[tuple[str, str], float]:
    """Samples by name and labels, the run's label left out."""
    found = {}
    for family in text_string_to_metric_families(body.decode()):
        assert family.documentation
        for sample in family.samples:
            labels = {key: value for key, value in sample.labels.items() if key != "run"}
            found[sample.name, ",".join(labels.values())] = sample.value
    return found


def test_run_and_sites(run: PaperRun) -> None:
    found = scraped(exposition(feed_of(run).view, "the run"))
    assert found["archipel_run_tokens_total", ""] == 500_000
    assert found["archipel_run_budget_tokens", ""] == 1_000_000
    assert found["archipel_run_rounds_total", ""] == 40
    assert found["archipel_run_loss", ""] == pytest.approx(2.25)
    assert found["archipel_run_tokens_per_second", ""] == 1_600
    assert found["archipel_run_bytes_per_token", ""] == pytest.approx(10.0, rel=1e-3)
    assert found["archipel_run_refusals_total", "eve"] == 2
    assert found["archipel_site_tokens_per_second", "tokyo"] == 800
    assert found["archipel_site_busy_ratio", "paris"] == 0.96
    assert found["archipel_site_contributions_total", "paris"] == 40
    assert found["archipel_site_contributions_total", "tokyo"] == 39
    assert found["archipel_site_state", "eve,left"] == 1
    assert found["archipel_site_state", "eve,training"] == 0
    moved = {key: value for key, value in found.items() if "bytes_total" in key[0]}
    assert sorted(moved.values()) == [0, 0, 1_000_000, 1_000_000, 1_500_000, 1_500_000]
    assert ("archipel_site_busy_ratio", "eve") not in found  # it has not said


def test_the_run_is_a_label(run: PaperRun) -> None:
    families = text_string_to_metric_families(exposition(feed_of(run).view, 'a "run"').decode())
    labels = {sample.labels["run"] for family in families for sample in family.samples}
    assert labels == {'a "run"'}


def test_nothing_is_said_before_the_first_look() -> None:
    assert exposition(None, "run") == b""
