"""`archipel distill`: a large model's answers become what a small one is trained on."""

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import typer

from archipel import config
from archipel.errors import ConfigError
from archipel.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from archipel.train.teaching.answers import Answers
    from archipel.train.teaching.collect import Tally
    from archipel.train.teaching.keep import Rules
    from archipel.train.teaching.prompts import Conversation
    from archipel.train.teaching.teacher import Answer, Refused

_SECONDS = 300.0  # that an answer may take
_MILLION = 1_000_000


def distill(
    teacher: str = typer.Option(..., help="URL of an OpenAI-compatible API, …/v1."),
    prompts: Path = typer.Option(
        ..., help="Lines of text, or .jsonl with prompt or messages in each line."
    ),
    out: Path = typer.Option(..., "--out", "-o", help="The .jsonl of conversations to write."),
    model: str | None = typer.Option(None, help="The teacher's model.  [default: its only one]"),
    system: str | None = typer.Option(None, help="System message for prompts without one."),
    key_env: str = typer.Option("ARCHIPEL_API_KEY", help="The variable with the teacher's key."),
    parallel: int = typer.Option(4, min=1, max=256, help="Prompts that are asked at once."),
    tries: int = typer.Option(6, min=1, max=100, help="How often one prompt is sent."),
    max_tokens: int = typer.Option(1024, min=1, help="Tokens that an answer may have."),
    temperature: float = typer.Option(0.7, min=0, max=2, help="How freely the teacher chooses."),
    language: Literal["en", "fr"] | None = typer.Option(None, help="Keep answers in this one."),
    least: int = typer.Option(1, min=1, help="Characters that an answer has at least."),
    most: int = typer.Option(20_000, min=1, help="Characters that an answer has at most."),
    prices: str | None = typer.Option(
        None, help="Of a million tokens, asked and answered, as 0.15,0.60: shows the cost."
    ),
) -> None:
    """Collect a teacher's answers, and keep the good ones as conversations to fine-tune on.

    Stopped, killed or refused, the same command goes on where it was: what was answered lies in
    OUT.answers. Example:
    archipel distill --teacher https://api.example.com/v1 --prompts ask.txt -o taught.jsonl
    """
    import asyncio

    from archipel.train.teaching.answers import key_of, open_answers
    from archipel.train.teaching.keep import Rules
    from archipel.train.teaching.prompts import read_prompts

    _check_url(teacher)
    price = _read_prices(prices)
    asked, doubles = read_prompts(prompts, system)
    if doubles:
        typer.echo(f"{doubles:,} of the prompts were there already: each is asked once", err=True)
    options = {"max_tokens": max_tokens, "temperature": temperature}
    asking = _Asking(teacher, config.variable(key_env), model, options, parallel, tries)
    with open_answers(out.with_name(f"{out.name}.answers")) as answers:
        try:
            named = asyncio.run(_collect(asking, asked, answers, price))
        except KeyboardInterrupt:
            typer.echo("Stopped. The same command goes on where it was.", err=True)
            raise typer.Exit(130) from None
        found = [answers.get(key_of(named, options, messages)) for messages in asked]
    typer.echo(_keep(out, asked, found, Rules(least, most, language)))


@dataclass(frozen=True)
class _Asking:
    """Whom to ask, and how."""

    url: str
    key: str | None
    model: str | None
    options: dict[str, Any]
    parallel: int
    tries: int


async def _collect(
    asking: _Asking,
    prompts: "Sequence[Conversation]",
    answers: "Answers",
    price: tuple[float, float] | None,
) -> str:
    """Have all prompts answered, and say on standard error how far that is; gives the name of the
    teacher's model."""
    import asyncio
    import random

    import httpx

    from archipel.train.teaching.collect import Collecting, Means, Patience
    from archipel.train.teaching.teacher import Teacher, only_model

    headers = {"Authorization": f"Bearer {asking.key}"} if asking.key else {}
    host = urlsplit(asking.url).hostname or ""
    async with httpx.AsyncClient(
        base_url=asking.url,
        headers=headers,
        timeout=httpx.Timeout(_SECONDS, connect=10),
        limits=httpx.Limits(max_connections=asking.parallel),
        trust_env=not is_loopback(host),
    ) as client:
        model = asking.model or await only_model(client)
        teacher = Teacher(client, model, asking.options)
        with _bar(price) as tell:
            means = Means(asyncio.sleep, random.random, tell)
            collecting = Collecting(teacher, answers, Patience(asking.tries), means)
            try:
                await collecting.run(prompts, asking.parallel)
            finally:
                typer.echo(_told(collecting.tally, price), err=True)
    return model


@contextmanager
def _bar(price: tuple[float, float] | None) -> "Iterator[Callable[[Tally], None]]":
    """A bar with what was answered, what that took, and the last trouble; on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def tell(tally: "Tally") -> None:
            said = f"{_told(tally, price)}  {tally.last_trouble}"
            bar.update(task, total=tally.prompts, completed=tally.done, description=said)

        yield tell


def _told(tally: "Tally", price: tuple[float, float] | None) -> str:
    cost = ""
    if price:
        asked, answered = tally.prompt_tokens * price[0], tally.answer_tokens * price[1]
        cost = f", cost {(asked + answered) / _MILLION:,.4f}"
    return (
        f"{tally.answered:,} answered now, {tally.known:,} before, {tally.refused:,} refused; "
        f"{tally.prompt_tokens:,} tokens asked, {tally.answer_tokens:,} answered{cost}"
    )


def _keep(
    out: Path,
    prompts: "Sequence[Conversation]",
    found: "Sequence[Answer | Refused | None]",
    rules: "Rules",
) -> str:
    """Write the good conversations, and say how many there are and why others are not among them.

    Raises:
        ConfigError: the file can't be written.
    """
    import json

    from archipel.files import atomic_text
    from archipel.train.teaching.keep import fault
    from archipel.train.teaching.prompts import as_json
    from archipel.train.teaching.teacher import Answer

    faults: Counter[str] = Counter()
    with atomic_text(out) as file:
        for messages, reply in zip(prompts, found, strict=True):
            why = fault(reply, rules) if isinstance(reply, Answer) else "refused by the service"
            if why or not isinstance(reply, Answer):
                faults[str(why)] += 1
                continue
            answer = {"role": "assistant", "content": reply.text.strip()}
            line = {"messages": [*as_json(messages), answer]}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    left = "".join(f"; {count:,} {why}" for why, count in faults.most_common())
    return f"{out}: {len(prompts) - faults.total():,} conversations{left}"


def _check_url(text: str) -> None:
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise ConfigError(f"--teacher {text!r} is no URL: give the API's, as https://…/v1")


def _read_prices(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        asked, answered = (float(part) for part in text.split(","))
    except ValueError:
        asked = answered = -1.0
    if not (asked >= 0 and answered >= 0):
        raise ConfigError(f"--prices {text!r} is not two prices: write them as 0.15,0.60")
    return asked, answered
