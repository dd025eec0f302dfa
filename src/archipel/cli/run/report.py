"""An audit as one page in the terminal."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from archipel.ledger.proof import Proof
from archipel.ledger.schema import RunSpec

if TYPE_CHECKING:
    from archipel.train.replay import Replay

_SHOWN = 12  # of a long list


@dataclass(frozen=True)
class Report:
    """What the page shows."""

    url: str
    spec: RunSpec
    proof: Proof
    replay: "Replay | None"


def report(shown: Report, violations: Sequence[str]) -> RenderableType:
    """The page."""
    verdict = (
        Text(f"{len(violations)} things are wrong", style="bold red")
        if violations
        else Text("nothing is wrong", style="bold green")
    )
    parts: list[RenderableType] = [
        Text.assemble(("audit of ", "dim"), (shown.url, "bold"), "   ", verdict),
        "",
        _facts(shown, sound=not violations),
        "",
        _sites(shown.proof),
    ]
    for title, lines, style in (
        ("wrong", violations, "red"),
        ("refused by merge duty", shown.proof.audit.refused, "yellow"),
        ("not accepted anywhere, without effect", shown.proof.ignored, "dim"),
    ):
        if lines:
            parts += ["", Text(f"{title}: {len(lines)}", style=f"bold {style}"), *_list(lines)]
    return Group(*parts)


def _facts(shown: Report, *, sound: bool) -> Table:
    spec, proof = shown.spec, shown.proof
    found = proof.audit
    share = found.tokens / spec.budget_tokens
    end = "finished" if proof.finished else "not finished"
    table = Table.grid(padding=(0, 2))
    rows = [
        ("tokens", f"{found.tokens:,} of {spec.budget_tokens:,} trained ({share:.1%}), {end}"),
        ("", f"{found.duplicate_tokens:,} twice, {found.skipped_tokens:,} skipped"),
        ("", f"per fragment {', '.join(f'{count:,}' for count in found.fragment_tokens)}"),
        ("commits", f"{found.commits:,}" + sound * ", each signed and following the one before"),
        (
            "claims",
            f"{proof.claims:,}" + sound * ", each signed by the site that was merged for it",
        ),
        ("contributions", f"{proof.contributions_left:,} still there, the others collected"),
        (
            "snapshots",
            f"{proof.snapshots:,}" + sound * ", each with the commits' tokens and digests",
        ),
        ("signatures", f"{proof.signatures:,} good"),
        ("members", f"{len(proof.members):,}: {', '.join(proof.members)}"),
        ("eras", f"{proof.eras:,}; {proof.abandoned_commits:,} commits left behind by rollbacks"),
    ]
    if shown.replay:
        rows += [
            ("replay", f"{shown.replay.commits:,} commits computed again, each digest compared"),
            ("", f"{shown.replay.snapshot_files:,} files of snapshots compared bit for bit"),
            ("", f"parameters at the end {shown.replay.digest}"),
        ]
    for name, text in rows:
        table.add_row(Text(name, style="dim"), text)
    return table


def _sites(proof: Proof) -> Table:
    refused = Counter(line.split(": ")[1] for line in proof.audit.refused)
    names = {*proof.audit.contributions, *proof.audit.merged_by, *refused}
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("site")
    for name in ("contributions merged", "refused", "commits put"):
        table.add_column(name, justify="right")
    for site in sorted(names):
        counts = (proof.audit.contributions, refused, proof.audit.merged_by)
        table.add_row(site, *(f"{count.get(site, 0):,}" for count in counts))
    return table


def _list(lines: Sequence[str]) -> list[RenderableType]:
    shown: list[RenderableType] = [Text(f"  {line}") for line in lines[:_SHOWN]]
    if len(lines) > _SHOWN:
        shown.append(Text(f"  … and {len(lines) - _SHOWN} more: see --json", style="dim"))
    return shown
