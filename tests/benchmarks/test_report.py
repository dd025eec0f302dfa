"""docs/benchmarks.md."""

from archipel.cli.provenance import ROOT
from benchmarks.pages.report import page


def test_the_page_of_benchmarks_is_what_the_results_say() -> None:
    written = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert written == page(), "run `.venv/bin/python -m benchmarks.pages.report`"
