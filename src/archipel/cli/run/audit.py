"""`archipel run audit`: what a run's ledger proves."""

import typer

from archipel.cli.arguments import RUN_URL


def audit(
    url: str = RUN_URL,
    again: bool = typer.Option(
        False,
        "--replay",
        help="Also compute the parameters again, bit for bit, from the first snapshot and all "
        "commits. Downloads every commit's payload.",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the figures as JSON."),
) -> None:
    """Prove from the ledger alone what was trained, by whom, and that nothing was tampered with.

    Exits with 1 if anything is wrong, each thing named. Example: archipel run audit ./run --replay
    """
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.progress import Progress

    from archipel.cli.run.report import Report, report
    from archipel.ledger import Ledger
    from archipel.ledger.proof import prove
    from archipel.store import Store

    ledger = Ledger.open(Store(url))
    with Progress(console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=total)

        proof, replayed = prove(ledger, show), None
        if again:
            from archipel.train.join import run_fragments
            from archipel.train.replay import replay

            replayed = replay(ledger, run_fragments(ledger.spec), show)
    violations = [*proof.violations, *(replayed.violations if replayed else ())]
    if as_json:
        figures = {
            **asdict(proof.audit),
            **{name: value for name, value in asdict(proof).items() if name != "audit"},
            "budget_tokens": ledger.spec.budget_tokens,
            "replay": replayed and asdict(replayed),
            "violations": violations,
        }
        typer.echo(json.dumps(figures, indent=2))
    else:
        Console().print(report(Report(url, ledger.spec, proof, replayed), violations))
    if violations:
        raise typer.Exit(1)
