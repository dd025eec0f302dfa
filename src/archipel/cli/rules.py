"""archipel rules: what prompts and answers of a key or a project may not hold."""

import typer

from archipel.cli.office import DATABASE_HELP, accounts, office
from archipel.errors import ConfigError

app = typer.Typer(
    help="Content rules: what prompts and answers may not hold.", no_args_is_help=True
)


@app.command()
def add(
    name: str = typer.Argument(help="Name of the new rule; metrics and refusals show it."),
    project: str | None = typer.Option(None, help="The project whose keys it holds for."),
    key: str | None = typer.Option(None, help="The key's beginning, as `archipel keys list` says."),
    match: str | None = typer.Option(None, help="An RE2 expression; (?i) ignores case."),
    words: str | None = typer.Option(None, help="Words or phrases with commas between them."),
    pattern: str | None = typer.Option(None, help="email, iban, card or phone."),
    do: str = typer.Option(help="refuse, mask (put the rule's name there) or flag (count only)."),
    prompts: bool = typer.Option(False, "--in", help="Look at prompts only.  [default: both]"),
    answers: bool = typer.Option(False, "--out", help="Look at answers only."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Let a rule hold, within a second, everywhere.

    Example: archipel rules add no-addresses --project website --pattern email --do mask
    """
    from archipel.serve.rules import Rule

    kind, what = _one_of(match=match, words=words, pattern=pattern)
    scope, name_of_it = _one_of(project=project, key=key)
    if do not in ("refuse", "mask", "flag"):
        raise ConfigError(f"--do {do}: take refuse, mask or flag.")
    sides = tuple(side for side, one in (("in", prompts), ("out", answers)) if one)
    rule = Rule(name, sides or ("in", "out"), kind, what, do)  # type: ignore[arg-type]
    with office(database) as its:
        its.add_rule(rule, f"{scope}:{name_of_it}")


@app.command()
def remove(
    name: str = typer.Argument(help="The rule's name."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Let a rule hold no more, within a second.

    Example: archipel rules remove no-addresses
    """
    with office(database) as its:
        its.remove_rule(name)


@app.command("list")
def list_(database: str | None = typer.Option(None, help=DATABASE_HELP)) -> None:
    """Show all rules."""
    from rich.console import Console
    from rich.table import Table

    from archipel.serve.accounts.rulebook import list_rules

    table = Table("rule", "for", "looks at", "finds", "does", box=None)
    with accounts(database) as opened, opened.reading() as connection:
        for one in list_rules(connection):
            rule = one.rule
            looks = "prompts and answers" if len(rule.sides) == 2 else rule.sides[0]
            table.add_row(rule.name, one.whom, looks, f"{rule.kind}: {rule.match}", rule.act)
    Console(highlight=False, markup=False).print(table)


def _one_of(**options: str | None) -> tuple[str, str]:
    """The one option that is given, and what it says.

    Raises:
        ConfigError: none is, or several are.
    """
    given = [(name, said) for name, said in options.items() if said]
    if len(given) != 1:
        raise ConfigError(f"give one of {', '.join(f'--{name}' for name in options)}.")
    return given[0]
