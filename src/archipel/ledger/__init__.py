"""A run's record in object storage: who trains what, what was merged, what is safe.

Knows bytes and names, not tensors.
"""

from archipel.ledger.cover import Cover
from archipel.ledger.record import Ledger
from archipel.ledger.schema import (
    FORMAT,
    Claim,
    Commit,
    Contribution,
    Era,
    Heartbeat,
    InnerSpec,
    LoraSpec,
    OuterSpec,
    Range,
    Refusal,
    Release,
    RunSpec,
    SnapshotManifest,
    check_site_name,
)

__all__ = [
    "FORMAT",
    "Claim",
    "Commit",
    "Contribution",
    "Cover",
    "Era",
    "Heartbeat",
    "InnerSpec",
    "Ledger",
    "LoraSpec",
    "OuterSpec",
    "Range",
    "Refusal",
    "Release",
    "RunSpec",
    "SnapshotManifest",
    "check_site_name",
]
