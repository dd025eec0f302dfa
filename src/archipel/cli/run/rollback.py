"""`archipel run rollback`: go back to an earlier point of a run, maybe without some sites."""

from typing import TYPE_CHECKING

import typer

from archipel.cli.arguments import RUN_URL, token_count

if TYPE_CHECKING:
    from archipel.train.rollback import Target


def rollback(
    url: str = RUN_URL,
    to: str = typer.Option(
        help="The last round that shall count (a number), or how many tokens at most (as 40M), "
        "or `now`."
    ),
    without: list[str] = typer.Option(
        [], help="A site that may no longer take part; may be given several times."
    ),
    reason: str = typer.Option("", help="Why, for the record and for excluded sites."),
) -> None:
    """Go on from an earlier point of a run: what came later no longer counts.

    Sites that are running join again by themselves, those without which the run goes on end. The
    old record stays and is audited too. Needs the owner's key. A run that is finished goes on.

    Example: archipel run rollback s3://models/first --to 1200 --without rome --reason "bad disk"
    """
    from rich.console import Console

    from archipel import config
    from archipel.ledger.invite import open_as_owner
    from archipel.ledger.keyring import Keyring
    from archipel.store import Store

    target = _target(to)
    ledger = open_as_owner(Store(url), Keyring(config.keys_folder()))

    from archipel.train.join import run_fragments
    from archipel.train.rollback import roll_back

    with Console(stderr=True).status("looking for the nearest snapshot") as status:
        begun = roll_back(
            ledger,
            run_fragments(ledger.spec),
            target,
            without=without,
            reason=reason,
            say=status.update,
        )
    excluded = f", without {', '.join(begun.era.without)}" if begun.era.without else ""
    typer.echo(
        f"era {begun.era.number} of {url} begins after round {max(begun.era.rounds)}, with "
        f"{begun.tokens:,} tokens{excluded}\nsites that are running join again by themselves"
    )


def _target(text: str) -> "Target":
    from archipel.train.rollback import Target

    if text == "now":
        return Target()
    if text.isdecimal():
        return Target(round=int(text))
    return Target(tokens=token_count(text))
