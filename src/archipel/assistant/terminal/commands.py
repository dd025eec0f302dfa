"""What a line that begins with / does, at the prompt."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from archipel.assistant.people import LOCAL
from archipel.assistant.terminal import attached, listing
from archipel.assistant.terminal.drawing import Drawing, in_line
from archipel.assistant.terminal.talk import Talk, told
from archipel.assistant.transfer.exporting import export
from archipel.errors import ConfigError

HELP = '''\
/model NAME     talk to another model; without NAME, list them
/new            begin another conversation
/file FILE      send a text file with the next question
/undo           take the last question back
/again MODEL    answer the last question again; with MODEL, by that one
/history WORDS  the newest conversations; with WORDS, those that have them
/open NUMBER    go on with one of them
/save FILE      this conversation as Markdown, or JSON if FILE ends so
/help           this help
""" begins and ends a question of several lines.
Ctrl-C stops an answer; at the prompt, Ctrl-C or Ctrl-D ends.'''


class Commands:
    """Over a talk; `blocks` are what goes with the next question."""

    def __init__(self, talk: Talk, drawing: Callable[[], Drawing]) -> None:
        self.blocks: list[str] = []
        self._talk = talk
        self._drawing = drawing
        self._verbs: dict[str, Callable[[str], Awaitable[str]]] = {
            "/model": self._model,
            "/new": self._new,
            "/file": self._file,
            "/undo": self._undo,
            "/again": self._again,
            "/history": self._history,
            "/open": self._open,
            "/save": self._save,
        }

    async def run(self, line: str) -> str:
        """Do it; gives what to show.

        Raises:
            ArchipelError: it can't be done.
        """
        verb, _, argument = line.partition(" ")
        act = self._verbs.get(verb)
        return HELP if act is None else await act(argument.strip())

    async def _model(self, name: str) -> str:
        names = await self._talk.service.list_models()
        listed = ", ".join(map(in_line, names))
        if name and name not in names:
            return f"no model {name!r}; there is: {listed}"
        self._talk.model = name or self._talk.model
        return f"{in_line(self._talk.model)} (of: {listed})"

    async def _new(self, _: str) -> str:
        self._talk.new()
        self.blocks.clear()
        return "a new conversation"

    async def _file(self, path: str) -> str:
        if not path:
            raise ConfigError("name a file: /file notes.txt")
        self.blocks.append(attached.read_file(Path(path)))
        return f"{in_line(path)} goes with the next question"

    async def _undo(self, _: str) -> str:
        taken = in_line(self._talk.undo())
        return f"taken back: {taken if len(taken) < 60 else taken[:59] + '…'}"

    async def _again(self, model: str) -> str:
        said = await self._model(model) if model else ""
        if said.startswith("no model"):
            return said
        return told(await self._talk.again(self._drawing()))

    async def _history(self, words: str) -> str:
        history = self._talk.history
        found = listing.hits(history, words) if words else listing.newest(history)
        return "\n".join(found) or "nothing"

    async def _open(self, number: str) -> str:
        if not (number.isascii() and number.isdecimal() and len(number) < 19):
            raise ConfigError(f"{number!r} is not the number of a conversation: see /history.")
        self._talk.open(int(number))
        return "\n".join(in_line(one.text)[:200] for one in self._talk.branch()[-2:])

    async def _save(self, name: str) -> str:
        conversation, path = self._talk.conversation, Path(name).expanduser()
        if not name or conversation is None:
            raise ConfigError("name a file, when something was said: /save notes.md")
        with self._talk.history.reading() as connection:
            found = export(connection, LOCAL.owner, conversation)
        try:
            with path.open("x", encoding="utf-8", errors="replace") as file:
                file.write(found.json if path.suffix == ".json" else found.markdown)
        except OSError as error:
            why = error.strerror
            raise ConfigError(f"can't write {name}: {why}. Choose another name.") from error
        return f"saved as {in_line(name)}"
