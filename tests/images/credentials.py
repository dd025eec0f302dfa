"""What a signed picture says of itself, as C2PA's own library reads it."""

import io
import json
import struct
import zlib
from typing import Any

import pytest

from archipel.files import sha256_bytes

c2pa = pytest.importorskip("c2pa", reason="c2pa-python is not installed: archipel[provenance]")

_SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def manifest(file: bytes, media_type: str = "image/png") -> dict[str, Any]:
    """By assertion; `state` and `codes` are what the library makes of the file, and `manifests` all
    that are in it. An ingredient has what was found as it was added (`successes`, `failures`) and
    what is found now (`found`)."""
    with c2pa.Reader(media_type, io.BytesIO(file)) as reader:
        told, detailed = json.loads(reader.json()), json.loads(reader.detailed_json())
    active = told["manifests"][told["active_manifest"]]
    said = {one["label"]: one["data"] for one in active["assertions"]}
    about = {
        "state": told["validation_state"],
        "codes": _codes(told.get("validation_status", [])),
        "claim": detailed["manifests"][told["active_manifest"]]["claim"],
        "manifests": told["manifests"],
    }
    deltas = told["validation_results"].get("ingredientDeltas", [])
    ingredients = [_ingredient(one, deltas) for one in active.get("ingredients", [])]
    return {**active, **said, **about, "ingredients": ingredients}


def _ingredient(one: dict[str, Any], deltas: list[dict[str, Any]]) -> dict[str, Any]:
    then = one.get("validation_results", {}).get("activeManifest", {})
    found = [
        code
        for delta in deltas
        if delta["ingredientAssertionURI"].endswith(one["label"])
        for codes in delta["validationDeltas"].values()
        for code in _codes(codes)
    ]
    failures, successes = (_codes(then.get(kind, [])) for kind in ("failure", "success"))
    return {**one, "failures": failures, "successes": successes, "found": found}


def _codes(results: list[dict[str, Any]]) -> list[str]:
    return [one["code"] for one in results]


def sources(said: dict[str, Any]) -> list[tuple[str, str | None]]:
    """What was done, and by what kind of source."""
    actions = said["c2pa.actions.v2"]["actions"]
    found = [(one["action"], one.get("digitalSourceType")) for one in actions]
    return [(action, kind and kind.removeprefix(_SOURCES)) for action, kind in found]


def how(seed: int, words: str) -> str:
    """How the last thing that was done is described."""
    return f"Seed {seed}. SHA-256 of the prompt: {sha256_bytes(words.encode())}."


def damaged(file: bytes) -> bytes:
    """The same picture with a manifest that can't be read."""
    data = file.replace(b"jumdc2as", b"jumdc2az")
    if not data.startswith(b"\x89PNG"):
        return data
    at = data.index(b"caBX")
    end = at + 4 + int.from_bytes(data[at - 4 : at])
    return data[:end] + struct.pack(">I", zlib.crc32(data[at:end])) + data[end + 4 :]
