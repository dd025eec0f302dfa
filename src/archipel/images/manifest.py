"""What a picture's C2PA manifest says: who made it, with which model, and how. Pure.

A label or a field that is not C2PA's own has to begin with a domain of one's own. So all of them
are C2PA's, and what it has no field for, as a seed, is in descriptions.

Source: C2PA Technical Specification 2.4, 6.2.1 (names), 18.15 (actions), 18.28 (AI disclosure).
"""

from typing import Any

from archipel import __version__
from archipel.files import sha256_bytes
from archipel.images.provenance import Facts

# Said in our own name; the library would put them with what others say.
OWN_LABELS = ["c2pa.actions", "c2pa.ai-disclosure"]
_SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def manifest_of(facts: Facts, begun_from: bool) -> dict[str, Any]:
    """With the digest of the words, and not the words; `begun_from` a picture that was sent."""
    kind = "compositeWithTrainedAlgorithmicMedia" if begun_from else "trainedAlgorithmicMedia"
    digest = sha256_bytes(facts.prompt.encode())
    created = {
        "action": "c2pa.created",
        "digitalSourceType": _SOURCES + kind,
        "description": f"Seed {facts.seed}. SHA-256 of the prompt: {digest}.",
    }
    model = {"modelType": "c2pa.types.model", "modelName": facts.model}
    return {
        "claim_generator_info": [{"name": "Archipel", "version": __version__}],
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": [created]}},
            {"label": "c2pa.ai-disclosure", "data": model},
        ],
    }
