"""The programs that can be connected, with what each needs of the service. Pure."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from archipel.assistant.connect import editors, offices, programs
from archipel.assistant.connect.snippets import Reached, Snippet
from archipel.assistant.offers import Offer
from archipel.assistant.people import Person

Need = Literal["fill", "chat"]
Group = Literal["editors", "offices", "programs"]


@dataclass(frozen=True)
class Client:
    """A program: its own name, where it is listed, the ability that it needs of a model, and what
    writes its configuration."""

    label: str
    group: Group
    needs: Need
    written: Callable[[Reached], list[Snippet]]


CLIENTS: Mapping[str, Client] = {
    "llama_vscode": Client("VS Code: llama.vscode", "editors", "fill", editors.llama_vscode),
    "continue": Client("VS Code: Continue", "editors", "fill", editors.continue_dev),
    "neovim_lsp": Client("Neovim: archipel lsp", "editors", "fill", editors.neovim_lsp),
    "llama_vim": Client("Vim, Neovim: llama.vim", "editors", "fill", editors.llama_vim),
    "minuet_neovim": Client("Neovim: minuet", "editors", "fill", editors.minuet_neovim),
    "minuet_emacs": Client("Emacs: minuet", "editors", "fill", editors.minuet_emacs),
    "emacs_lsp": Client("Emacs: archipel lsp", "editors", "fill", editors.emacs_lsp),
    "jetbrains": Client("JetBrains: Tabby", "editors", "fill", editors.jetbrains),
    "zed": Client("Zed", "editors", "fill", editors.zed),
    "onlyoffice": Client("ONLYOFFICE: AI", "offices", "chat", offices.onlyoffice),
    "libreoffice": Client("LibreOffice: WriterAgent", "offices", "chat", offices.libreoffice),
    "claude_code": Client("Claude Code", "programs", "chat", programs.claude_code),
    "python": Client("Python: openai", "programs", "chat", programs.python),
    "curl": Client("curl", "programs", "chat", programs.curl),
}


def able(offers: Sequence[Offer], need: Need) -> list[str]:
    """The models that say they can; if none does, those that do not say what they can."""
    sure = [one.name for one in offers if one.abilities is not None and need in one.abilities]
    return sure or [one.name for one in offers if one.abilities is None]


def configuration(client: Client, reached: Reached) -> list[Snippet]:
    """What a program must be told; empty where no model can do what it needs."""
    model = reached.fill if client.needs == "fill" else reached.chat
    return client.written(reached) if model else []


def order_for_key(person: Person) -> str:
    """The command that makes a key for somebody, in a project of theirs."""
    project = next(iter(person.projects), "PROJECT")
    whose = ["--person", person.name] if person.name else []
    return shlex.join(["archipel", "keys", "create", "editor", "--project", project, *whose])
