"""LibreOffice without a window: files converted to PDF, and the text that it has of them."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from archipel.errors import ConfigError
from benchmarks.office.packages import entries, packed

_PYTHON = "/usr/bin/python3"  # the one that python3-uno is for
_SCRIPT = Path(__file__).with_name("libreoffice_accept.py")
_SECONDS = 500
_DOCUMENT = "word/document.xml"
_COMMENT = re.compile(rb"<w:commentReference [^>]*>")
PACKAGES = "libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui python3-uno"


def check_installed() -> None:
    """
    Raises:
        ConfigError: LibreOffice is not on this machine, or can't be told anything.
    """
    asked = [_PYTHON, "-c", "import uno"]
    if shutil.which("soffice") is None or not Path(_PYTHON).exists() or _fails(asked):
        raise ConfigError(f"LibreOffice is not on this machine: apt-get install {PACKAGES}")


def converted(paths: Sequence[Path], folder: Path) -> set[str]:
    """The names of those that LibreOffice makes a PDF of in the folder."""
    command = [*_soffice(folder), "--convert-to", "pdf", "--outdir", str(folder), *map(str, paths)]
    subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    made = {path.stem for path in folder.glob("*.pdf") if path.stat().st_size}
    return {path.name for path in paths if path.stem in made}


def texts(orders: Sequence[tuple[Path, str]], folder: Path) -> list[list[str]]:
    """The lines of each file once its changes were dealt with: "accept", "refuse" or "keep"."""
    copies = [_without_comments(path, folder / "copies" / path.name) for path, _ in orders]
    asked = json.dumps([(str(copy), order[1]) for copy, order in zip(copies, orders, strict=True)])
    with _listening(folder) as pipe:
        answer = subprocess.run(
            [_PYTHON, str(_SCRIPT), pipe],
            input=asked,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    if answer.returncode:
        raise RuntimeError(f"LibreOffice did not answer: {answer.stderr[-2000:]}")
    lines: list[list[str]] = json.loads(answer.stdout)
    return lines


@contextmanager
def _listening(folder: Path) -> Iterator[str]:
    pipe = f"archipel-{uuid4().hex}"
    told = f"--accept=pipe,name={pipe};urp;"
    process = subprocess.Popen(
        [*_soffice(folder), told],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield pipe
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the program is a child of what was started
        process.wait()


def _without_comments(path: Path, copy: Path) -> Path:
    """A copy of which no comment is shown: a window for one ends a LibreOffice without windows."""
    files = entries(path.read_bytes())
    if _DOCUMENT in files:
        files[_DOCUMENT] = _COMMENT.sub(b"", files[_DOCUMENT])
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(packed(files))
    return copy


def _soffice(folder: Path) -> list[str]:
    profile = (folder / "profile").resolve().as_uri()
    return ["soffice", f"-env:UserInstallation={profile}", "--headless", "--norestore", "--nologo"]


def _fails(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode != 0
