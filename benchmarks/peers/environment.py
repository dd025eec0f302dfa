"""A peer's own Python environment: it may need other versions of what we use."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from archipel.errors import ConfigError

_LAST_LINES = 15


def peer_python(folder: Path, *installs: Sequence[str]) -> Path:
    """The interpreter of a virtual environment in `folder`, made if need be.

    Each of `installs` are the words of one `pip install`, in order.

    Raises:
        ConfigError: it can't be made.
    """
    python, ready = folder.absolute() / "bin" / "python", folder / "ready"
    if not ready.exists():
        _run(sys.executable, "-m", "venv", folder)
        for words in installs:
            _run(python, "-m", "pip", "install", "--quiet", *words)
        ready.touch()
    return python


def _run(*words: object) -> None:
    command = list(map(str, words))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-_LAST_LINES:])
        raise ConfigError(f"a peer can't be installed: `{' '.join(command)}` ended with\n{last}")
