"""The prompt: questions and commands, until the person has enough."""

import asyncio
import sys
from collections.abc import Callable

from rich.console import Console

from archipel.assistant.terminal import attached
from archipel.assistant.terminal.commands import Commands
from archipel.assistant.terminal.drawing import Drawing, Drawn, Plain, harmless, in_line
from archipel.assistant.terminal.talk import Talk, told
from archipel.errors import ArchipelError

_QUOTES = '"""'


def drawing_for(plain: bool) -> Callable[[], Drawing]:
    """How answers appear: as Markdown where a person reads them, else as they are."""
    console = Console()
    return Plain if plain or not console.is_terminal else lambda: Drawn(console)


def converse(
    runner: asyncio.Runner, talk: Talk, drawing: Callable[[], Drawing], blocks: list[str]
) -> None:
    """Ask the person until Ctrl-D; `blocks` go with the first question. The runner is entered for
    each answer only: between answers Ctrl-C belongs to the prompt."""
    import readline

    readline.parse_and_bind("set enable-bracketed-paste on")  # pasted lines are one question
    console = Console(highlight=False, markup=False, stderr=True)
    commands = Commands(talk, drawing)
    commands.blocks.extend(blocks)
    for one in talk.branch()[-2:]:
        console.print(f"{'›' if one.role == 'user' else ' '} {harmless(one.text)}", style="dim")
    console.print(f"{in_line(talk.model)} (/help for help, Ctrl-D to end)", style="dim")
    while (line := _question()) is not None:
        try:
            if line.startswith("/"):
                said = runner.run(commands.run(line))
            elif line:
                said = runner.run(_asked(talk, commands, drawing, line))
            else:
                continue
            if said:
                console.print(said, style="dim", soft_wrap=True)
        except KeyboardInterrupt:
            console.print("stopped", style="dim")
        except ArchipelError as error:
            console.print(f"error: {error}", style="red", soft_wrap=True)


async def _asked(talk: Talk, commands: Commands, drawing: Callable[[], Drawing], words: str) -> str:
    question = attached.question(words, commands.blocks)
    commands.blocks.clear()
    return told(await talk.ask(question, drawing()))


def _question() -> str | None:
    """What the person types: a line, or lines between triple quotes; None at the end."""
    try:
        line = input("› ").strip()
        if not line.startswith(_QUOTES):
            return line
        lines = [line.removeprefix(_QUOTES)]
        while not lines[-1].rstrip().endswith(_QUOTES):
            lines.append(input("… "))
        lines[-1] = lines[-1].rstrip().removesuffix(_QUOTES)
        return "\n".join(lines).strip()
    except (EOFError, KeyboardInterrupt):
        sys.stdout.write("\n")
        return None
