"""What a signed picture says of itself, as C2PA's own library reads it."""

import io
import json
from typing import Any

import pytest

from archipel.files import sha256_bytes

c2pa = pytest.importorskip("c2pa", reason="c2pa-python is not installed: archipel[provenance]")

_SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def manifest(file: bytes, media_type: str = "image/png") -> dict[str, Any]:
    """By assertion; `state` and `codes` are what the library makes of the file."""
    with c2pa.Reader(media_type, io.BytesIO(file)) as reader:
        told, detailed = json.loads(reader.json()), json.loads(reader.detailed_json())
    active = told["manifests"][told["active_manifest"]]
    said = {one["label"]: one["data"] for one in active["assertions"]}
    codes = [one["code"] for one in told.get("validation_status", [])]
    claim = detailed["manifests"][told["active_manifest"]]["claim"]
    about = {"state": told["validation_state"], "codes": codes, "claim": claim}
    return {**active, **said, **about}


def sources(said: dict[str, Any]) -> list[tuple[str, str | None]]:
    """What was done, and by what kind of source."""
    actions = said["c2pa.actions.v2"]["actions"]
    found = [(one["action"], one.get("digitalSourceType")) for one in actions]
    return [(action, kind and kind.removeprefix(_SOURCES)) for action, kind in found]


def how(seed: int, words: str) -> str:
    """How the last thing that was done is described."""
    return f"Seed {seed}. SHA-256 of the prompt: {sha256_bytes(words.encode())}."
