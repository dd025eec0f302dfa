"""Where a measurement comes from: commit, machine, versions."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import archipel
from archipel import config

_PACKAGES = ("torch", "transformers", "tokenizers", "fastokens", "datasets", "numpy", "xllamacpp")


ROOT = Path(archipel.__file__).parents[2]  # of the source checkout, where there is one


def provenance() -> dict[str, Any]:
    """The commit of the source checkout (with -dirty if changed), this machine, versions."""
    described = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "commit": described.stdout.strip() or None,
        "machine": machine(),
        "versions": {"python": platform.python_version()} | _versions(),
    }


def machine() -> str:
    """This machine in words: processor, cores, system."""
    return f"{_processor()}, {config.usable_cores()} cores, {platform.system()}"


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
