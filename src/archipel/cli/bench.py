"""`archipel bench`: run one of the measurements in `benchmarks/` and write its figures."""

from pathlib import Path

import typer


def bench(
    name: str = typer.Argument(
        help="One of train, inside, precision, corpus, codec, links, rounds, parity, plan, "
        "planned, wan, serve, speculation, complete, books, assistant, documents, "
        "documents_search, finetune, search."
    ),
    quick: bool = typer.Option(False, "--quick", help="Fewer and shorter runs."),
    json_file: Path | None = typer.Option(None, "--json", help="Write the figures here."),
) -> None:
    """Measure against a peer, side by side, on this machine. Needs the source checkout.

    Example: archipel bench train --quick --json train.json
    """
    import importlib
    import json
    import sys

    from archipel.cli.provenance import ROOT, provenance
    from archipel.errors import ConfigError
    from archipel.files import write_json

    known = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
    if not known:
        raise ConfigError("the benchmarks are part of the source checkout: clone it, `make bench`")
    if name not in known:
        raise ConfigError(f"unknown benchmark {name!r}: take one of {', '.join(known)}")
    sys.path.insert(0, str(ROOT))
    figures = importlib.import_module(f"benchmarks.{name}").run(quick)
    result = {"name": name, **provenance(), "seed": 0, "quick": quick, "figures": figures}
    if json_file:
        write_json(json_file, result)
    typer.echo(json.dumps(result, indent=2))
