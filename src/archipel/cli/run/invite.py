"""`archipel run invite`: let a site take part in a run."""

import typer

from archipel.cli.arguments import RUN_URL


def invite(
    url: str = RUN_URL,
    name: str = typer.Option(help="The site's name, its own in the run."),
    option: list[str] = typer.Option(
        [],
        help="How the site reaches the store, as AWS_ENDPOINT_URL=https://…; may be given several "
        "times. Endpoint and region of this environment go along anyway, credentials do not.",
    ),
) -> None:
    """Let a site take part; prints the token with which it joins, alone on standard output.

    Needs the owner's key, which `archipel run create` left on the machine that created the run.
    The token is a secret: whoever has it can take part as that site. The same name again prints
    the same token. Example: archipel run invite s3://models/first --name paris
    """
    from pathlib import Path

    from archipel import config
    from archipel.errors import ConfigError
    from archipel.ledger.invite import invite as invite_site
    from archipel.ledger.keyring import Keyring
    from archipel.store import Store

    if "://" not in url:
        url = str(Path(url).expanduser().resolve())
    if wrong := [text for text in option if "=" not in text]:
        raise ConfigError(f"--option {wrong[0]!r}: write it as NAME=VALUE")
    options = config.store_options() | dict(text.split("=", 1) for text in option)
    token = invite_site(Store(url), Keyring(config.keys_folder()), name, options)
    typer.echo(
        f"{name} may take part. At the site, with this token (a secret) in ARCHIPEL_TOKEN:\n"
        "archipel site join",
        err=True,
    )
    typer.echo(token.encode())
