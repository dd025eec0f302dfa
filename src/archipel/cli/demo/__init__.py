"""`archipel demo`: the whole path on this machine. Parse, call, print."""

from pathlib import Path

import typer


def demo(
    folder: Path | None = typer.Option(
        None, help="Where corpus, run and model go (default: demo in Archipel's home)."
    ),
    minutes: float = typer.Option(2.0, min=0.1, help="About how long to train."),
    once: bool = typer.Option(False, "--once", help="Don't wait for a person: ask, report, end."),
    report: Path | None = typer.Option(None, help="Write the figures here as JSON."),
    port: int = typer.Option(8080, min=0, max=65535, help="Port of the service."),
    page_port: int = typer.Option(8081, min=0, max=65535, help="Port of the assistant's page."),
) -> None:
    """Train a model at three sites, kill one and bring it back, then serve it and open the page.

    Example: archipel demo --once --report demo.json
    """
    import asyncio
    import json
    from datetime import datetime

    from rich.console import Console

    from archipel import config
    from archipel.cli.demo.curve import draw
    from archipel.cli.demo.figures import gather
    from archipel.cli.demo.serving import serve_demo
    from archipel.cli.demo.stage import Stage, export_model, pull_chat_model
    from archipel.cli.demo.training import train
    from archipel.cli.provenance import provenance
    from archipel.files import write_json

    stage = Stage(
        home=folder or config.home() / "demo",
        name=datetime.now().strftime("%Y%m%d-%H%M%S"),
        minutes=minutes,
        console=Console(highlight=False),
    )
    ledger = stage.prepare()
    story = train(stage, ledger)
    with stage.step("measure held-out loss, audit, replay"):
        figures = gather(ledger, story)
    draw(ledger, figures, story, stage.folder / "loss.png")
    stage.say(f"loss curve    {stage.folder / 'loss.png'}")
    trained = {"trained": export_model(stage, ledger)}
    models = pull_chat_model(stage) | trained
    answers = asyncio.run(serve_demo(stage, models, ports=(port, page_port), once=once))
    shown = {**figures.to_json(), **answers, **provenance()}
    if report:
        write_json(report, shown)
    if once:
        stage.say(json.dumps(shown, indent=2, ensure_ascii=False))
