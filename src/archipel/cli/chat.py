"""archipel chat: a conversation in the terminal, with a service or a model of this machine."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from archipel.errors import ConfigError

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from archipel.assistant.history.messages import Message
    from archipel.assistant.terminal.talk import Talk
    from archipel.database import Database


def chat(
    question: list[str] | None = typer.Argument(
        None, help="What to ask. Without it, and without piped input, a prompt asks you."
    ),
    model: str | None = typer.Option(
        None, "--model", "-m", help="A model of the service, or one on this disk."
    ),
    file: list[Path] | None = typer.Option(
        None, "--file", "-f", help="A text file to send with it; can be repeated."
    ),
    go_on: bool = typer.Option(False, "--continue", "-c", help="Go on with the last conversation."),
    conversation: int | None = typer.Option(None, min=1, help="Go on with this one, by number."),
    listed: bool = typer.Option(False, "--list", help="List the newest conversations and end."),
    search: str | None = typer.Option(None, help="List those with these words and end."),
    plain: bool = typer.Option(False, help="Print answers as they are, without drawing Markdown."),
    history: bool = typer.Option(True, help="Keep the conversation, as the page does."),
    url: str = typer.Option("http://127.0.0.1:8080/v1", help="An OpenAI-compatible service."),
) -> None:
    """Ask a model, or talk to it in the terminal. What is piped in goes with the question."""
    from archipel.assistant.history.opened import open_history
    from archipel.assistant.terminal import attached, listing

    wanted = _Wanted(model, url, plain)
    wanted.blocks = [attached.read_file(path) for path in file or []]
    wanted.words = " ".join(question or [])
    lists = listed or search is not None
    if not lists and not sys.stdin.isatty():
        wanted.take(sys.stdin.buffer.read(attached.TEXT_BYTES + 1))
    database = open_history(None if history else "sqlite://")
    try:
        if lists:
            found = listing.newest(database) if search is None else listing.hits(database, search)
            typer.echo("\n".join(found) or "nothing")
        else:
            last = listing.last(database) if go_on else None
            wanted.have(database, conversation or last)
    finally:
        database.close()


@dataclass
class _Wanted:
    """A chat as the person asked for it."""

    model: str | None
    url: str
    plain: bool
    words: str = ""
    blocks: list[str] = field(default_factory=list)
    piped: bool = False

    def take(self, data: bytes) -> None:
        """What is piped in is the question, or goes with it."""
        from archipel.assistant.terminal import attached

        self.piped = True
        if self.words:
            self.blocks += [attached.block("", data)] if data.strip() else []
        else:
            self.words = attached.text("", data)

    def have(self, database: "Database", conversation: int | None) -> None:
        """Ask the one question, or the person for more."""
        import asyncio
        import contextlib

        from archipel.assistant.terminal import attached
        from archipel.assistant.terminal.converse import converse, drawing_for

        drawing, once = drawing_for(self.plain), bool(self.words.strip()) or self.piped
        asked = attached.question(self.words, self.blocks) if once else ""
        with asyncio.Runner() as runner:
            stack = contextlib.AsyncExitStack()
            try:
                talk = runner.run(self._talk(stack, database, conversation))
                if once:
                    _warn(runner.run(talk.ask(asked, drawing())))
                else:
                    converse(runner, talk, drawing, self.blocks)
            finally:
                runner.run(stack.aclose())

    async def _talk(
        self, stack: "AsyncExitStack", database: "Database", conversation: int | None
    ) -> "Talk":
        from archipel.assistant.terminal.talk import Talk
        from archipel.cli.answering import answering

        service, names = await answering(stack, self.model, self.url)
        if self.model is None and self.words in names:
            raise ConfigError(f"{self.words!r} is a model: `archipel chat -m {self.words}`.")
        talk = Talk(service, database, self.model if self.model in names else names[0])
        if conversation is not None:
            talk.open(conversation)
            before = [one.model for one in talk.branch() if one.model in names]
            talk.model = talk.model if self.model or not before else before[-1] or talk.model
        return talk


def _warn(answer: "Message") -> None:
    """Say that an answer is not whole where it does not get into what reads the answer."""
    from archipel.assistant.terminal.talk import ended_early

    if why := ended_early(answer):
        typer.echo(f"note: the answer was {why}", err=True)
