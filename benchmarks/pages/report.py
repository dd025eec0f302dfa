"""docs/benchmarks.md, of the figures in benchmarks/results: `python -m benchmarks.pages.report`."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from archipel.cli.provenance import ROOT
from archipel.files import read_json, write_atomic

_RESULTS = ROOT / "benchmarks" / "results"
_PAGE = ROOT / "docs" / "benchmarks.md"
_COMMANDS = {
    "chaos": "make chaos",
    "demo": "archipel demo --once --report demo.json",
}
_HEAD = """# Benchmarks

Every figure that this project has measured last, as the commands wrote it: `make bench` runs the
quick ones and makes this page of `benchmarks/results/*.json` again. Shares and ratios are of 1.
What the figures mean, and where they fall short, is said on the pages of the parts.
"""


def page() -> str:
    """The whole page, in Markdown."""
    files = sorted(_RESULTS.glob("*.json"))
    return "\n".join([_HEAD, *(_section(file.stem, read_json(file)) for file in files)])


def _section(name: str, result: Mapping[str, Any]) -> str:
    lines = [f"## {name}", "", _what(name), "", f"`{_command(name, result)}`", ""]
    lines += [_where(result), ""]
    figures = dict(result.get("figures", result))
    profiles = figures.pop("profiles", {})
    lines += _table(("figure", "value"), _flat(figures))
    for profile, contestants in profiles.items():
        lines += ["", f"### {profile}", "", *_compared(contestants)]
    return "\n".join([*lines, ""])


def _what(name: str) -> str:
    """The first paragraph of the benchmark's own description."""
    for path in (f"benchmarks/{name}.py", f"benchmarks/{name}/__init__.py"):
        if (ROOT / path).exists():
            found = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or ""
            return found.split("\n\n")[0].replace("\n", " ")
    return "The whole path on one machine: three sites train, one is killed, the model is served."


def _command(name: str, result: Mapping[str, Any]) -> str:
    quick = " --quick" if result.get("quick") else ""
    return _COMMANDS.get(name, f"archipel bench {name}{quick}")


def _where(result: Mapping[str, Any]) -> str:
    if "versions" not in result:
        return "Commit and machine were not noted."
    versions = ", ".join(f"{key} {value}" for key, value in result["versions"].items())
    return (
        f"Commit {result.get('commit')}, seed {result.get('seed', 0)}, {result.get('machine')}; "
        f"{versions}."
    )


def _flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names and values; what is nested gets both names, lists and long texts are left out."""
    for key, value in figures.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key} · ")
        elif not isinstance(value, list | str):
            yield f"{prefix}{key}", _shown(value)


def _compared(contestants: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One row a contestant."""
    failed = {way: found["error"] for way, found in contestants.items() if "error" in found}
    good = {way: found for way, found in contestants.items() if way not in failed}
    keys = list(dict.fromkeys(k for f in good.values() for k, v in f.items() if k != "curve"))
    rows = [(way, *(_shown(found.get(key)) for key in keys)) for way, found in good.items()]
    lines = _table(("contestant", *keys), rows)
    return lines + [f"\n{way} failed: {error.splitlines()[0]}" for way, error in failed.items()]


def _table(head: tuple[str, ...], rows: Any) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def _shown(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value}"


if __name__ == "__main__":
    write_atomic(_PAGE, page().encode())
