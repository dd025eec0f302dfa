"""`archipel run`: create, invite, watch, audit, roll back and export runs; teach eyes before one.
One file a verb."""

import typer

from archipel.cli.run.audit import audit
from archipel.cli.run.create import create
from archipel.cli.run.export import export
from archipel.cli.run.eyes import eyes
from archipel.cli.run.invite import invite
from archipel.cli.run.rollback import rollback
from archipel.cli.run.watch import watch

app = typer.Typer(
    help="Create, invite, watch, audit, roll back and export runs; teach eyes before one.",
    no_args_is_help=True,
)
for verb in (create, eyes, invite, watch, audit, rollback, export):
    app.command()(verb)
