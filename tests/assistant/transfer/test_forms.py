"""Whatever the shape of what other programs export: a tree that can be written, or a reason."""

import json
import random
from typing import Any

import pytest

from archipel.assistant.transfer.forms import known
from archipel.assistant.transfer.tree import grown
from archipel.errors import NotImportable
from tests.assistant.transfer import exports

OWN = {
    "format": "archipel-conversation", "version": 1, "source": "archipel:1.0:x", "title": "T",
    "created": 1.0, "changed": 2.0, "folder": "F", "pinned": None, "shown": "a",
    "messages": [{
        "key": "a", "parent": None, "role": "user", "text": "Hi", "status": "done", "created": 1.0,
        "model": None, "pictures": [{"data": "", "prompt": "x", "seed": 1}], "facts": {
            "left_out": 1, "error": {"code": "x", "message": "y"}, "seconds": 1.5, "place": "house",
            "cost": {"amount": 1.0, "currency": "EUR"}, "ended": "stop",
            "action": {"name": "translate", "fields": {"target": "fr"}},
        },
    }],
}  # fmt: skip
FORMS = [exports.lake(), exports.workshop(), exports.claude(), exports.open_webui(), OWN]
JUNK: list[Any] = [
    None, True, 0, -1, 1e400, float("nan"), 10**400, "", "x" * 300, "\ud800", "\0", "q1", "a",
    [], [[]], [None], ["user"], {}, {"a": {}}, {"content_type": 1},
]  # fmt: skip
NAMES = ["", "q1", "id", "\ud800"]


def spoilt(value: Any, chance: random.Random) -> Any:
    """The value with something else here and there in it."""
    if chance.random() < 0.04:
        return chance.choice(JUNK)
    if isinstance(value, dict):
        return {
            (chance.choice(NAMES) if chance.random() < 0.02 else name): spoilt(one, chance)
            for name, one in value.items()
        }
    return [spoilt(one, chance) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("form", FORMS)
def test_no_shape_of_an_export_breaks_the_import(form: dict[str, Any]) -> None:
    chance, trees = random.Random(1), 0
    for _ in range(400):
        try:
            tree = grown(known.told(spoilt(form, chance)), 5.0)
        except NotImportable:
            continue
        trees += bool(tree.messages)
        keys: set[str | None] = {None}
        for message in tree.messages:
            assert message.parent in keys
            keys.add(message.key)
            json.dumps(message.draft.facts, allow_nan=False).encode()
            (message.draft.text + (message.draft.model or "")).encode()
        assert tree.shown in keys
        assert len(tree.source.encode()) <= 800
        assert len(tree.source) <= 200
        assert len(tree.title) <= 200
    assert trees > 200
