"""What comes from the environment, read here and nowhere else.

ARCHIPEL_HOME      where pulled models and caches live (default: ~/.archipel)
ARCHIPEL_API_KEY   the key that the assistant and `archipel chat` send to the service
"""

import os
from pathlib import Path


def home() -> Path:
    """The folder for pulled models and caches."""
    return Path(os.environ.get("ARCHIPEL_HOME") or Path.home() / ".archipel")


def api_key() -> str | None:
    """The key sent to an OpenAI-compatible service, or None."""
    return os.environ.get("ARCHIPEL_API_KEY") or None


def store_allows_http() -> bool:
    """Whether object storage may be reached without TLS, by the cloud SDKs' own variables."""
    names = ("AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP")
    return any(os.environ.get(name, "").lower() in ("1", "true") for name in names)


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def child_environment(**extra: str) -> dict[str, str]:
    """This process's environment with `extra` added, for a child process."""
    return {**os.environ, **extra}
