"""The `archipel` command: it gathers the verbs and shows errors. Nothing heavy is imported here."""

import sys

import typer

from archipel import __version__
from archipel.cli import corpus, doc, exchanges, keys, lsp, people, route, rules, run, search, site
from archipel.cli.audit import audit
from archipel.cli.bench import bench
from archipel.cli.bundle import bundle
from archipel.cli.chat import chat
from archipel.cli.demo import demo
from archipel.cli.distill import distill
from archipel.cli.evaluate import evaluate
from archipel.cli.export import export
from archipel.cli.finetune import finetune
from archipel.cli.image import image
from archipel.cli.plan import plan
from archipel.cli.pull import pull
from archipel.cli.recipe import recipe
from archipel.cli.serve import serve
from archipel.cli.up import up
from archipel.cli.usage import usage
from archipel.errors import ArchipelError

app = typer.Typer(
    name="archipel",
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


app.add_typer(corpus.app, name="corpus")
app.add_typer(doc.app, name="doc")
app.add_typer(run.app, name="run")
app.add_typer(search.app, name="search")
app.add_typer(site.app, name="site")
app.add_typer(keys.app, name="keys")
app.add_typer(lsp.app, name="lsp")
app.add_typer(people.app, name="people")
app.add_typer(route.app, name="route")
app.add_typer(rules.app, name="rules")
app.add_typer(exchanges.app, name="exchanges")
app.command()(demo)
app.command()(serve)
app.command()(chat)
app.command()(image)
app.command()(up)
app.command()(pull)
app.command()(finetune)
app.command()(recipe)
app.command()(usage)
app.command()(audit)
app.command()(plan)
app.command()(distill)
app.command()(export)
app.command()(bundle)
app.command("eval")(evaluate)
app.command()(bench)


def main() -> None:
    """Run the command; an `ArchipelError` becomes one message and exit status 1."""
    try:
        app()
    except ArchipelError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(1)
