"""An office file as a PDF, as LibreOffice prints it: to look at how its pages come out.

It runs apart, in bubblewrap: without network, writing to a folder of its own and nowhere else. A
machine without these two programs shows no pages.
"""

import asyncio
import os
import shutil
import signal
import tempfile
from pathlib import Path

from archipel.errors import ConfigError, DocumentCorrupt, DocumentTooLarge

_SECONDS = 90
_KINDS = (".docx", ".pptx", ".xlsx", ".odt")


def prints(name: str) -> bool:
    """Whether a file of this name has pages once it is printed."""
    return Path(name).suffix.lower() in _KINDS


async def print_pdf(path: Path, name: str, to: Path) -> None:
    """Write the file at `path`, which the person knows as `name`, as PDF to `to`; whole or not.

    Raises:
        ConfigError: LibreOffice or bubblewrap is not there.
        DocumentTooLarge: it takes longer than 90 seconds.
        DocumentCorrupt: LibreOffice can't open it.
    """
    bwrap, soffice = shutil.which("bwrap"), shutil.which("soffice")
    if bwrap is None or soffice is None:
        raise ConfigError(
            "pages are shown where LibreOffice (soffice) and bubblewrap (bwrap) are installed. "
            "Install them, or download the file."
        )
    with tempfile.TemporaryDirectory(prefix="archipel-print-") as folder:
        given = Path(folder, "file").with_suffix(Path(name).suffix.lower())
        await asyncio.to_thread(shutil.copyfile, path, given)
        await _run(_command(bwrap, soffice, folder, given), name)
        made = given.with_suffix(".pdf")
        if not made.is_file():
            raise DocumentCorrupt(f"LibreOffice can't open {name!r}. Download it to look at it.")
        await asyncio.to_thread(_move, made, to)


def _command(bwrap: str, soffice: str, folder: str, file: Path) -> list[str]:
    walls = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
    walls += ["--bind", folder, folder, "--setenv", "HOME", folder]
    walls += ["--unshare-net", "--unshare-pid", "--unshare-ipc", "--die-with-parent"]
    home = f"-env:UserInstallation={Path(folder, 'profile').as_uri()}"
    printing = ["--headless", "--norestore", "--nolockcheck", "--convert-to", "pdf"]
    return [bwrap, *walls, "--", soffice, home, *printing, "--outdir", folder, str(file)]


async def _run(command: list[str], name: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            await process.wait()
    except TimeoutError as error:
        raise DocumentTooLarge(
            f"{name!r} takes more than {_SECONDS} seconds to print. Download it to look at it."
        ) from error
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _move(made: Path, to: Path) -> None:
    """Within the folder where it stays, a file appears whole."""
    arriving = to.with_name(f".arriving-{to.name}")
    shutil.copyfile(made, arriving)
    arriving.replace(to)
