"""The digest of a model's parameters: the same for the same model, whatever file it came from."""

import hashlib
from collections.abc import Mapping

import numpy as np


def digest_of_all(tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of all parameters by name, as little-endian fp32: however they are cut up."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].astype("<f4", copy=False).tobytes())
    return digest.hexdigest()
