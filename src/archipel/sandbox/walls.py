"""What a sandboxed program sees of this machine, and the two commands that put it behind walls.

Pure: builds lists of words, starts nothing.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archipel.errors import SandboxError

HARNESS = "/harness"
WORK = "/tmp/work"
_START = (
    "import sys, importlib; sys.path.insert(0, sys.argv[1]); "
    "importlib.import_module('archipel.sandbox.inside.' + sys.argv[2]).main()"
)
_TOP_FOLDERS = ["bin", "sbin", "lib", "lib32", "lib64"]
_DEVICES = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"]


@dataclass(frozen=True)
class Layout:
    """Folders and files that are shown, read-only, as (source, place); symbolic links as (target,
    place). Beside them there is /tmp, the only place to write to."""

    shown: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]

    def parents(self) -> list[str]:
        """The folders that are made for the places to stand in, outer ones first."""
        places = [Path(place) for _, place in self.shown + self.links]
        found = {str(folder) for place in places for folder in place.parents}
        return sorted(found - {"/", "/tmp"})


def harness_command(python: str, folder: str, module: str, *words: str) -> list[str]:
    """Runs a module of `inside` that stands under `folder`, as archipel's source does."""
    return [python, "-P", "-s", "-B", "-c", _START, folder, module, *words]


def layout(prefixes: Sequence[Path], home: Path, package: Path) -> Layout:
    """The system's programs and libraries, the Python with these `prefixes`, and our harness.

    Raises:
        SandboxError: Python is installed so that showing it would show the user's files.
    """
    inside = "archipel/sandbox/inside"
    shown = {"/usr": "/usr", str(package / inside): f"{HARNESS}/{inside}"}
    links = [("/tmp", "/dev/shm")]
    for prefix in prefixes:
        if prefix in [home, *home.parents]:
            raise SandboxError(
                f"Python is installed in {prefix}, above the users' own files, so code can't be "
                "run without showing them. Run Archipel from a virtual environment."
            )
        if not prefix.is_relative_to("/usr"):
            shown[str(prefix)] = str(prefix)
    for top in (Path("/", name) for name in _TOP_FOLDERS):
        if top.is_symlink():
            links.append((str(top.readlink()), str(top)))
        elif top.is_dir():
            shown[str(top)] = str(top)
    for path in ["/etc/ld.so.cache", *_DEVICES]:
        if Path(path).exists():
            shown[path] = path
    return Layout(tuple(shown.items()), tuple(links))


def python_prefixes() -> list[Path]:
    """Where the Python in use keeps its files: its virtual environment's folder and its own."""
    executable = Path(sys.executable).resolve()
    return sorted({Path(sys.prefix), Path(sys.base_prefix), executable.parents[1]})


def bubblewrap_command(program: str, view: Layout, *, root: bool, tmp_bytes: int) -> list[str]:
    """`bwrap` with no network, no other process, no right, and no file but `view`'s.

    Root needs no user namespace, and is not to have one: the limit on processes counts none of
    root's. `enter` then becomes another user.
    """
    words = [program, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    words += ["--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    if root:
        for right in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            words += ["--cap-add", right]
    else:
        words.append("--unshare-user")
    words += ["--perms", "1777", "--size", str(tmp_bytes), "--tmpfs", "/tmp"]
    for folder in view.parents():
        words += ["--perms", "0755", "--dir", folder]  # else nobody but root may enter
    for source, place in view.shown:
        words += ["--dev-bind" if source in _DEVICES else "--ro-bind", source, place]
    for target, place in view.links:
        words += ["--symlink", target, place]
    return [*words, "--remount-ro", "/", "--chdir", "/tmp", "--"]


def namespaces_command(setpriv: str, unshare: str, *, root: bool) -> list[str]:
    """util-linux' `unshare` with the same; the files are then `inside.mounts`' work."""
    words = [setpriv, "--pdeathsig", "KILL", unshare, "--mount", "--pid", "--net", "--ipc", "--uts"]
    words += ["--fork", "--kill-child=KILL"]
    return words if root else [*words, "--user", "--map-root-user"]
