"""Arguments that several verbs share."""

import typer

RUN_URL = typer.Argument(help="The run: s3://…, az://…, gs://…, file:///… or a folder.")
