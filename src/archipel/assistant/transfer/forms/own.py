"""Our own form of a conversation in JSON, written and read: the whole tree, whatever was edited,
asked again or compared.

    {"format": "archipel-conversation", "version": 1, "source": …, "title": …, "created": …,
     "changed": …, "folder": …, "pinned": …, "shown": …, "messages": [
       {"key": …, "parent": …, "role": …, "text": …, "status": …, "created": …, "model": …,
        "facts": {…}}, …]}

Times are seconds since the epoch. `source` and the keys name the same things wherever they are
brought to, so that to import twice adds nothing; a message's parent comes before it.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from archipel.assistant.history.conversations import TITLE_CHARACTERS, Conversation
from archipel.assistant.history.messages import Draft, Message
from archipel.assistant.history.named import NAME_CHARACTERS
from archipel.assistant.transfer.tree import Node, Told
from archipel.assistant.transfer.values import items, key, line, mapping, seconds, text
from archipel.errors import NotImportable

FORMAT = "archipel-conversation"
VERSION = 1
_FACTS_CHARACTERS = 100_000
# What is said to be of documents was checked against those here, or it is not shown as checked.
_CHECKED_HERE = frozenset(
    {"documents", "taken", "passages", "citations", "marks", "unverified", "absent", "nearest"}
)
_FACTS_DEPTH = 8
_STATUSES = ("done", "stopped", "failed")


class _Row(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def role(self) -> str: ...
    @property
    def created(self) -> float: ...
    @property
    def model(self) -> str | None: ...
    @property
    def facts(self) -> Mapping[str, Any] | None: ...


def is_one(element: Mapping[str, Any]) -> bool:
    """Whether it is a conversation in our form, of any version."""
    return element.get("format") == FORMAT


def written(
    conversation: Conversation, source: str | None, folder: str | None, tree: Sequence[Message]
) -> dict[str, Any]:
    """The conversation as JSON has it; an answer that still grows is as long as it is. Pure."""
    names = keys(tree)
    return {
        "format": FORMAT,
        "version": VERSION,
        "source": source or origin(conversation.created, tree[0].text if tree else ""),
        "title": conversation.title,
        "created": conversation.created,
        "changed": conversation.changed,
        "folder": folder,
        "pinned": conversation.pinned,
        "shown": names.get(conversation.shown or 0),
        "messages": [
            {
                "key": names[one.id],
                "parent": None if one.parent is None else names[one.parent],
                "role": one.role,
                "text": one.text,
                "status": "stopped" if one.status == "growing" else one.status,
                "created": one.created,
                "model": one.model,
                "facts": {name: fact for name, fact in one.facts.items() if name != "source"},
            }
            for one in tree
        ],
    }


def origin(created: float, first: str) -> str:
    """What a conversation that was born here is called elsewhere, by when it began and its first
    words. Pure."""
    return f"archipel:{created!r}:{hashlib.sha256(first.encode()).hexdigest()[:16]}"


def keys(rows: Iterable[_Row]) -> dict[int, str]:
    """What the messages of one conversation, in the order of their ids, are called elsewhere: as
    their import called them, else by when they came about and by whom. Pure."""
    found: dict[int, str] = {}
    times: Counter[str] = Counter()
    for row in rows:
        name = mapping(row.facts).get("source")
        if not isinstance(name, str):
            name = f"{row.created!r} {row.role} {row.model or ''}".rstrip()
            times[name] += 1
            name += f" {times[name]}" if times[name] > 1 else ""
        found[row.id] = name
    return found


def read(element: Mapping[str, Any]) -> Told:
    """The conversation. Pure.

    Raises:
        NotImportable: a newer program wrote it.
    """
    version = element.get("version")
    if version != VERSION:
        raise NotImportable(
            f"it has version {version!r} of {FORMAT}, not {VERSION}. Import it with the version of "
            "Archipel that wrote it.",
            "newer_version",
        )
    left: Counter[str] = Counter()
    nodes = [_node(one, left) for one in items(element.get("messages"))]
    return Told(
        source=line(element.get("source"), 200) or origin(0.0, repr(nodes[:1])),
        title=line(element.get("title"), TITLE_CHARACTERS),
        created=seconds(element.get("created")),
        changed=seconds(element.get("changed")),
        nodes=[node for node in nodes if node is not None],
        shown=key(element.get("shown")),
        left=left,
        folder=line(element.get("folder"), NAME_CHARACTERS) or None,
        pinned=seconds(element.get("pinned")),
    )


def _node(message: Any, left: Counter[str]) -> Node | None:
    told = mapping(message)
    own, role, status = key(told.get("key")), told.get("role"), told.get("status")
    if own is None or role not in ("system", "user", "assistant") or status not in _STATUSES:
        left["broken"] += 1
        return None
    draft = Draft(
        role=role,
        text=text(told.get("text")),
        status=status,
        model=line(told.get("model"), 200) or None,
        facts=_facts(told.get("facts"), left),
    )
    created = seconds(told.get("created"))
    return Node(key=own, parent=key(told.get("parent")), draft=draft, created=created)


def _facts(told: Any, left: Counter[str]) -> dict[str, Any]:
    kept = {text(name): fact for name, fact in mapping(told).items()}
    facts = {
        name: _fact(fact, _FACTS_DEPTH) for name, fact in kept.items() if name not in _CHECKED_HERE
    }
    if len(json.dumps(facts)) > _FACTS_CHARACTERS:
        left["facts"] += 1
        return {}
    return facts


def _fact(fact: Any, depth: int) -> Any:
    """A fact that every database takes: numbers that are some, texts, lists and objects of them."""
    if isinstance(fact, str):
        return text(fact)
    if isinstance(fact, float) and not math.isfinite(fact):
        return None
    if not isinstance(fact, dict | list):
        return fact
    if depth == 0:
        return None
    if isinstance(fact, list):
        return [_fact(one, depth - 1) for one in fact]
    return {text(name): _fact(one, depth - 1) for name, one in fact.items()}
