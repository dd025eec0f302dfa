"""What a picture's C2PA manifest says: who made it, with which model, how, and from which picture.
Pure.

A label or a field that is not C2PA's own has to begin with a domain of one's own. So all of them
are C2PA's; a seed and digests are in descriptions, where C2PA would have an ingredient for each.

Source: C2PA Technical Specification 2.4, 6.2.1 (names), 18.15 (actions), 18.16 (ingredients),
18.28 (AI disclosure).
"""

from dataclasses import dataclass
from typing import Any

from archipel import __version__
from archipel.files import sha256_bytes
from archipel.images.provenance import Facts, PictureFile

# Said in our own name; the library would put them with what others say.
OWN_LABELS = ["c2pa.actions", "c2pa.ai-disclosure", "c2pa.ingredient"]
_PARENT = "parent"
_SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@dataclass(frozen=True)
class Parent:
    """A picture that somebody sent, and that others are begun from."""

    file: PictureFile
    keeps_history: bool  # its own manifest, if it has one, goes along


def manifest_of(facts: Facts, parent: Parent | None) -> dict[str, Any]:
    """With the digest of the words, and not the words. A parent that keeps its history is not among
    the ingredients: the library adds it as it reads its file."""
    named = [] if parent is None or parent.keeps_history else [ingredient_of(parent)]
    model = {"modelType": "c2pa.types.model", "modelName": facts.model}
    return {
        "claim_generator_info": [{"name": "Archipel", "version": __version__}],
        "ingredients": named,
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": _actions(facts, parent)}},
            {"label": "c2pa.ai-disclosure", "data": model},
        ],
    }


def ingredient_of(parent: Parent) -> dict[str, str]:
    """The picture that it was begun from. If that has no manifest, only the digest tells which it
    was."""
    said = f"SHA-256 of its file: {sha256_bytes(parent.file.data)}."
    if not parent.keeps_history:
        said += " Its own Content Credentials can't be read or are too large, and are left out."
    return {
        "relationship": "parentOf",
        "label": _PARENT,
        "format": parent.file.media_type,
        "description": said,
    }


def _actions(facts: Facts, parent: Parent | None) -> list[dict[str, Any]]:
    digest = sha256_bytes(facts.prompt.encode())
    how = f"Seed {facts.seed}. SHA-256 of the prompt: {digest}."
    if parent is None:
        source = _SOURCES + "trainedAlgorithmicMedia"
        return [{"action": "c2pa.created", "digitalSourceType": source, "description": how}]
    source = _SOURCES + "compositeWithTrainedAlgorithmicMedia"
    return [
        {"action": "c2pa.opened", "parameters": {"ingredientIds": [_PARENT]}},
        {"action": "c2pa.edited", "digitalSourceType": source, "description": how},
    ]
