"""What a model is made for: its tasks and languages, as its card says. Knows no catalogue."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

Task = Literal[
    "chat",
    "translate",
    "summarise",
    "rewrite",
    "correct",
    "explain",
    "code",
    "repair",
    "optimise",
    "fill",  # gaps in a text
]
TASKS: tuple[Task, ...] = get_args(Task)
LANGUAGE = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*"  # a code, as "fr" or "pt-BR"
_CARD_CHARACTERS = 1 << 20
_FRONT = re.compile(r"---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.S)
_HUB_TASKS: Mapping[str, Task] = {"translation": "translate", "summarization": "summarise"}


@dataclass(frozen=True)
class Purpose:
    """Tasks, and languages by their codes; None where nobody says it."""

    tasks: tuple[Task, ...] | None = None
    languages: tuple[str, ...] | None = None


def read_purpose(folder: Path) -> Purpose:
    """What the card (README.md) in a model's folder says in its front matter: `tasks`, or else the
    hubs' own `pipeline_tag`, and `language`. Other words are passed over."""
    return purpose_in(_card(folder))


def _card(folder: Path) -> str:
    card = folder / "README.md"
    if not card.is_file():
        return ""
    with card.open(encoding="utf-8-sig", errors="replace") as file:
        return file.read(_CARD_CHARACTERS)


def purpose_in(card: str) -> Purpose:
    """As `read_purpose`, of a card's text. Pure."""
    said = _front_matter(card)
    hub = [_HUB_TASKS[word] for word in _words(said.get("pipeline_tag")) if word in _HUB_TASKS]
    named = _words(said.get("tasks"))
    tasks = tuple(task for task in TASKS if task in named) or tuple(hub)
    languages = [one for one in _words(said.get("language")) if re.fullmatch(LANGUAGE, one)]
    return Purpose(tasks or None, tuple(languages) or None)


def unlearnt_gaps(folder: Path) -> bool:
    """Whether the card in a model's folder says that it fills no gaps, whatever marks are in its
    vocabulary: it is of a run, where every vocabulary has them, and of one without gaps."""
    said = _front_matter(_card(folder))
    return "diloco" in _words(said.get("tags")) and "fill" not in _words(said.get("tasks"))


def front_matter(tasks: Sequence[str], languages: Sequence[str]) -> str:
    """The lines of a card's front matter that say it; empty where there is nothing to say. Pure."""
    told = (("language", languages), ("tasks", tasks))
    return "".join(f"{key}: {json.dumps(list(said))}\n" for key, said in told if said)


def _front_matter(card: str) -> Mapping[str, Any]:
    import yaml  # type: ignore[import-untyped]

    found = _FRONT.match(card)
    try:
        said = yaml.safe_load(found[1]) if found else None
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _words(value: object) -> list[str]:
    """One word, or several."""
    several = value if isinstance(value, list) else [value]
    return [one for one in several if isinstance(one, str)]
