"""What comes from the environment, read here and nowhere else.

ARCHIPEL_HOME      where pulled models and caches live (default: ~/.archipel)
ARCHIPEL_CATALOGUE a file with further models to pull (default: catalogue.toml in ARCHIPEL_HOME)
ARCHIPEL_DATA      the folder with the data of `archipel eval`
ARCHIPEL_API_KEY   the key that the assistant and `archipel chat` send to the service
ARCHIPEL_SEARXNG   a SearXNG server that `archipel search` asks too
ARCHIPEL_SECRET    what the service's keys are hashed with, the same on all its machines
DATABASE_URL       the service's database (default: a SQLite file in ARCHIPEL_HOME)
ASSISTANT_DATABASE_URL   the assistant's: conversations (default: another such file)
ARCHIPEL_TOKEN     what `archipel run invite` printed, for `archipel site join`
RANK, LOCAL_WORLD_SIZE   set by torchrun in the processes of one site
"""

import contextlib
import getpass
import os
from collections.abc import Mapping
from pathlib import Path


def home() -> Path:
    """The folder for pulled models and caches."""
    return Path(os.environ.get("ARCHIPEL_HOME") or Path.home() / ".archipel")


def catalogue_file() -> Path | None:
    """The organisation's own catalogue of models, or None."""
    if named := os.environ.get("ARCHIPEL_CATALOGUE"):
        return Path(named).expanduser()
    usual = home() / "catalogue.toml"
    return usual if usual.exists() else None


def data_folder() -> Path | None:
    """The folder with the data that models are measured on, or None."""
    text = os.environ.get("ARCHIPEL_DATA")
    return Path(text).expanduser() if text else None


def keys_folder() -> Path:
    """The folder for the private keys of runs and sites."""
    return home() / "keys"


def join_token() -> str | None:
    """The token with which a site joins its run, or None."""
    return os.environ.get("ARCHIPEL_TOKEN") or None


def store_options() -> dict[str, str]:
    """The environment's way to the object store, without its secrets."""
    names = (
        *("AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ALLOW_HTTP"),
        *("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_ENDPOINT", "AZURE_ALLOW_HTTP"),
        "GOOGLE_ALLOW_HTTP",
    )
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def set_store_options(options: Mapping[str, str]) -> None:
    """Reach the object store in this way, where the environment doesn't say otherwise."""
    for name, value in options.items():
        os.environ.setdefault(name, value)


def api_key() -> str | None:
    """The key sent to an OpenAI-compatible service, or None."""
    return os.environ.get("ARCHIPEL_API_KEY") or None


def searxng() -> str | None:
    """The address of a SearXNG server to search the web with, or None: then nobody is asked."""
    return os.environ.get("ARCHIPEL_SEARXNG") or None


def secret() -> str | None:
    """What the keys of the service are hashed with, or None."""
    return os.environ.get("ARCHIPEL_SECRET") or None


def database_url() -> str | None:
    """The service's database, or None."""
    return os.environ.get("DATABASE_URL") or None


def assistant_database_url() -> str | None:
    """The assistant's database, or None."""
    return os.environ.get("ASSISTANT_DATABASE_URL") or None


def user_name() -> str:
    """Who runs this program, as the operating system has it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        return f"user {os.getuid()}"


def variable(name: str) -> str | None:
    """A variable that the user's own settings name, such as a provider's key."""
    return os.environ.get(name) or None


def store_allows_http() -> bool:
    """Whether object storage may be reached without TLS, by the cloud SDKs' own variables."""
    names = ("AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP")
    return any(os.environ.get(name, "").lower() in ("1", "true") for name in names)


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory_bytes() -> int:
    """Memory that programs may still take here; of a container no more than it may have."""
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, StopIteration):  # not Linux
        lines = Path("/proc/meminfo").read_text().splitlines()
        kibibytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        free = int(kibibytes) << 10
    with contextlib.suppress(OSError, ValueError):  # no container, or without a limit: "max"
        free = min(free, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return free


def torchrun_rank() -> int:
    """This process's rank among those that torchrun started; 0 without it."""
    return int(os.environ.get("RANK") or 0)


def torchrun_local_processes() -> int:
    """How many processes torchrun started on this machine; 1 without it."""
    return int(os.environ.get("LOCAL_WORLD_SIZE") or 1)


def foreign_environment(**extra: str) -> dict[str, str]:
    """This process's environment without the service's own secrets, for a program of others."""
    own = ("ARCHIPEL_API_KEY", "ARCHIPEL_SECRET", "ARCHIPEL_TOKEN", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if name not in own} | extra


def child_environment(**extra: str) -> dict[str, str]:
    """This process's environment with `extra` added, for a child process."""
    return {**os.environ, **extra}
