"""`archipel run audit`: what a run's ledger proves."""

import typer

from archipel.cli.arguments import RUN_URL


def audit(
    url: str = RUN_URL,
    as_json: bool = typer.Option(False, "--json", help="Print the figures as JSON."),
) -> None:
    """Prove from the ledger what was trained: every token's fate, every commit.

    Exits with 1 where tokens were trained twice or skipped. Example: archipel run audit ./run
    """
    import json
    from dataclasses import asdict

    from archipel.ledger import Ledger
    from archipel.ledger.audit import audit as audit_run
    from archipel.ledger.audit import read_commits
    from archipel.store import Store

    ledger = Ledger.open(Store(url))
    manifests = [ledger.snapshot(number) for number in ledger.snapshot_numbers()[-1:]]
    finished = any(manifest is not None and manifest.final for manifest in manifests)
    found = audit_run(ledger.spec, read_commits(ledger), finished=finished)
    figures = {"finished": finished, "budget_tokens": ledger.spec.budget_tokens, **asdict(found)}
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
    else:
        for key, value in figures.items():
            typer.echo(f"{key.replace('_', ' '):>18}  {value}")
    if found.duplicate_tokens or found.skipped_tokens:
        raise typer.Exit(1)
