"""A conversation in the terminal, over any OpenAI-compatible service."""

import asyncio

import typer
from rich.console import Console

from archipel.chat import ChatService, Message, ServiceError

_HELP = """\
/model NAME   talk to another model; without NAME, list them
/new          forget the conversation
/help         this help
Ctrl-C stops an answer; at the prompt, Ctrl-C or Ctrl-D ends."""
_CONTROL_CHARACTERS = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {*b"\t\n"})


class Conversation:
    """The messages so far with one of a service's models."""

    def __init__(self, service: ChatService, model: str) -> None:
        self.model = model
        self._service = service
        self._messages: list[Message] = []

    async def ask(self, question: str) -> None:
        """Print the answer as it comes; what was printed before a stop stays in the conversation.

        Raises:
            ServiceError: the service can't be reached, refuses, or breaks off.
        """
        asked = [*self._messages, Message("user", question)]
        answer = ""
        try:
            async for delta in self._service.stream_chat(asked, self.model):
                answer += delta.text
                # A model must not steer the terminal.
                typer.echo(delta.text.translate(_CONTROL_CHARACTERS), nl=False)
        finally:
            if answer:
                typer.echo()
                self._messages = [*asked, Message("assistant", answer)]

    async def command(self, line: str) -> str:
        """Do what a line that starts with / says; gives what to show."""
        verb, _, argument = line.partition(" ")
        if verb == "/new":
            self._messages = []
            return "a new conversation"
        if verb == "/model":
            names = await self._service.list_models()
            if argument and argument not in names:
                return f"no model {argument!r}; there is: {', '.join(names)}"
            self.model = argument or self.model
            return f"{self.model} (of: {', '.join(names)})"
        return _HELP


def converse(runner: asyncio.Runner, conversation: Conversation) -> None:
    """Ask the person until Ctrl-D. The runner is entered for each answer only: between answers
    Ctrl-C belongs to the prompt."""
    import readline  # noqa: F401 (line editing and history for input())

    console = Console(highlight=False, markup=False, stderr=True)
    console.print(f"{conversation.model} (/help for help, Ctrl-D to end)", style="dim")
    while True:
        try:
            line = input("› ").strip()
        except (EOFError, KeyboardInterrupt):
            typer.echo()
            return
        try:
            if line.startswith("/"):
                console.print(runner.run(conversation.command(line)), style="dim")
            elif line:
                runner.run(conversation.ask(line))
        except KeyboardInterrupt:
            console.print("stopped", style="dim")
        except ServiceError as error:
            console.print(f"error: {error}", style="red")
