"""The `archipel` command: it finds the verbs and shows errors. Verbs are imported when used."""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from archipel import __version__
from archipel.errors import ArchipelError

# A function of a module here is one verb, an `app` has several below it.
_VERBS = {
    "demo": "demo.demo",
    "corpus": "corpus.app",
    "run": "run.app",
    "site": "site.app",
    "plan": "plan.plan",
    "recipe": "recipe.recipe",
    "finetune": "finetune.finetune",
    "distill": "distill.distill",
    "eval": "evaluate.evaluate",
    "export": "export.export",
    "bundle": "bundle.bundle",
    "pull": "pull.pull",
    "up": "up.up",
    "chat": "chat.chat",
    "image": "image.image",
    "doc": "doc.app",
    "search": "search.app",
    "lsp": "lsp.app",
    "serve": "serve.serve",
    "keys": "keys.app",
    "people": "people.app",
    "route": "route.app",
    "rules": "rules.app",
    "exchanges": "exchanges.app",
    "usage": "usage.usage",
    "audit": "audit.audit",
    "bench": "bench.bench",
}


class _Verbs(Mapping[str, Any]):
    """The commands by their verbs, made when they are looked up."""

    def __getitem__(self, verb: str) -> Any:
        module, name = _VERBS[verb].split(".")
        found = getattr(import_module(f"archipel.cli.{module}"), name)
        alone = typer.Typer()
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=verb)
        else:
            alone.command(verb)(found)
        return get_group(alone).commands[verb]

    def __iter__(self) -> Iterator[str]:
        return iter(_VERBS)

    def __len__(self) -> int:
        return len(_VERBS)


class _Group(TyperGroup):
    """A group that has these."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: Any = _Verbs()


app = typer.Typer(
    name="archipel",
    cls=_Group,
    help="Train one language model over every site you have, and serve it to your people.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Log details to standard error."),
    log_json: bool = typer.Option(False, "--log-json", help="Log lines as JSON objects."),
) -> None:
    from archipel import log

    log.setup(verbose, as_json=log_json)


def main() -> None:
    """Run the command; an `ArchipelError` becomes one message and exit status 1."""
    try:
        app()
    except ArchipelError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(1)
