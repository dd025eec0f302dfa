"""`archipel plan`: what a run will take, before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from archipel.cli.arguments import token_count
from archipel.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from archipel.plan import Forecast, Plan

_LATE = 0.05


def plan(
    file: Path | None = typer.Argument(None, help="A plan in TOML (docs/plan.md)."),
    model: str | None = typer.Option(
        None, help="Parameters, as 124M or 7B; a size's name; or a checkpoint's config.json."
    ),
    tokens: str | None = typer.Option(None, help="The budget: 500k, 80M, 2B."),
    sites: list[str] = typer.Option(
        [],
        "--site",
        help="NAME:key=value,… with tokens_per_second, or hardware (h100, a100, …) and count; "
        "price an hour; up, down (Mbit/s), rtt (ms); cores; memory_gb; preemptions_per_day.",
    ),
    codec: str | None = typer.Option(None, help="int4, sparse, int8 or none."),
    sync: str | None = typer.Option(None, help="H, or auto."),
    fragments: int | None = typer.Option(None, help="Parts of the model that move one by one."),
    batch: str | None = typer.Option(None, help="Tokens of an inner step of a site."),
    questions: list[str] = typer.Option(
        [],
        "--what-if",
        help="lost:SITE:HOURS, slower:SITE:FACTOR, more:SITE:COUNT or "
        "spot:SITE:PRICE_SHARE:PREEMPTIONS_A_DAY. May be repeated.",
    ),
    run_url: str | None = typer.Option(None, "--from", help="Take the figures of this run."),
    probe_url: str | None = typer.Option(
        None, "--probe", help="Only measure the link from here to this store, with 24 MB."
    ),
    json_file: Path | None = typer.Option(None, "--json", help="Write the figures here."),
    png_file: Path | None = typer.Option(None, "--png", help="Draw them here."),
) -> None:
    """Foretell a run over these sites and links: how busy, how long, how many bytes, what cost.

    Example: archipel plan --model 1B --tokens 20B --site paris:hardware=h100,count=8,price=24
    --site rome:hardware=a100,count=8,price=14,up=200,down=500,rtt=30 --what-if slower:rome:0.2
    """
    from rich.console import Console

    if probe_url:
        from archipel.plan.sources import probe

        link = probe(probe_url)
        typer.echo(f"up={link.up:.1f},down={link.down:.1f},rtt={link.rtt:.1f}")
        return
    values = _values(file, run_url)
    given = {
        "parameters": _parameters(model) if model else None,
        "tokens": token_count(tokens) if tokens else None,
        "sites": [_site(text) for text in sites] or None,
        "codec": codec,
        "fragments": fragments,
        "batch_tokens": token_count(batch) if batch else None,
    }
    values |= {key: value for key, value in given.items() if value is not None}
    if sync:
        values["sync_steps"] = None if sync == "auto" else sync
    _show(values, tuple(questions), json_file, png_file, Console())


def _show(
    values: dict[str, Any],
    questions: tuple[str, ...],
    json_file: Path | None,
    png_file: Path | None,
    console: Any,
) -> None:
    from archipel.files import write_json
    from archipel.plan.advice import compare, recommend
    from archipel.plan.inputs import make_plan

    made = make_plan(values)
    better, why = recommend(made)
    found = dict(compare(made, questions))
    console.print(_sites_table(found["as planned"]))
    console.print(_runs_table(found))
    for line in _remarks(found["as planned"]):
        console.print(line, soft_wrap=True)
    console.print(f"[bold]Recommended:[/bold] {_options(better)} — {why}.", soft_wrap=True)
    if json_file:
        write_json(json_file, _figures(made, better, why, found))
    if png_file:
        from archipel.plan.picture import draw

        draw(found, png_file)


def _values(file: Path | None, run_url: str | None) -> dict[str, Any]:
    """What the file or the run says; the options go over it."""
    if file and run_url:
        raise ConfigError("take the plan from a file or from a run, not from both")
    if run_url:
        from archipel.ledger import Ledger
        from archipel.plan.sources import of_run
        from archipel.store import Store
        from archipel.train.join import run_fragments

        ledger = Ledger.open(Store(run_url))
        parameters = sum(fragment.values for fragment in run_fragments(ledger.spec))
        return of_run(ledger, parameters)
    if file:
        from archipel.plan import read_plan

        return read_plan(file).model_dump()
    return {}


def _parameters(text: str) -> int:
    """The number itself, or that of a size by name or of a configuration on disk."""
    from archipel.models.sizes import SIZES

    if text in SIZES:
        return SIZES[text].parameters(SIZES[text].usual_vocab)
    if Path(text).exists():
        return _count(text)
    try:
        return token_count(text)
    except ConfigError as error:
        raise ConfigError(
            f"{text!r} is neither a number of parameters (124M, 7B), nor one of "
            f"{', '.join(SIZES)}, nor a configuration on disk"
        ) from error


def _count(path: str) -> int:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(path))  # type: ignore[no-untyped-call]
    return sum(parameter.numel() for parameter in model.parameters())


def _site(text: str) -> dict[str, Any]:
    """NAME:key=value,… as a site's values."""
    name, _, rest = text.partition(":")
    values: dict[str, Any] = {"name": name}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--site {text!r}: {pair!r} is not key=value")
        if key in ("up", "down", "rtt"):
            values.setdefault("link", {})[key] = value
        else:
            values[key] = value
    return values


def _options(plan: Plan) -> str:
    steps = plan.sync_steps or "auto"
    return f"--codec {plan.codec} --fragments {plan.fragments} --sync {steps}"


def _remarks(found: Forecast) -> list[str]:
    far = ", far from this plan" if found.gap.extrapolated else ""
    lines = [
        f"Expected held-out loss: {100 * found.gap.share:+.1f} % of data-parallel's, as measured "
        f"by {found.gap.source}{far}."
    ]
    if found.late_share > _LATE:
        lines.append(
            f"[yellow]{100 * found.late_share:.0f} % of the contributions miss their round:"
            "[/yellow] the links of some sites, or of merge duty, are too thin for the others."
        )
    return lines


def _sites_table(found: Forecast) -> Table:
    from rich.table import Table

    table = Table("site", "busy", "tokens/s", "Mbit/s up", "down", "bytes up", "down", "compute")
    for site in found.sites:
        table.add_row(
            site.name,
            f"{100 * site.busy_share:.1f}%",
            f"{site.tokens_per_second:,.0f}",
            f"{site.mean_up:,.1f}",
            f"{site.mean_down:,.1f}",
            _bytes(site.bytes_up),
            _bytes(site.bytes_down),
            f"{site.compute_cost:,.0f}",
        )
    return table


def _runs_table(found: dict[str, Forecast]) -> Table:
    from rich.table import Table

    table = Table("", "days", "busy", "H", "bytes", "bytes/token", "store", "cost")
    table.columns[0].no_wrap = True
    for name, run in found.items():
        table.add_row(
            name,
            f"{run.days:,.2f}",
            f"{100 * run.busy_share:.1f}%",
            f"{run.sync_steps:,.0f}",
            _bytes(run.wan_bytes),
            f"{run.wan_bytes_per_token:,.1f}",
            f"{run.requests_cost + run.egress_cost:,.2f}",
            f"{run.cost:,.0f}",
        )
    return table


def _bytes(count: float) -> str:
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:,.1f}\u00a0{unit}"
    return f"{count / 1e3:,.1f} kB"


def _figures(plan: Plan, better: Plan, why: str, found: dict[str, Forecast]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "plan": plan.model_dump(),
        "forecasts": {name: asdict(run) | {"cost": run.cost} for name, run in found.items()},
        "recommended": better.model_dump(include={"codec", "fragments", "sync_steps"}),
        "why": why,
    }
