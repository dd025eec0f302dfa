"""Loads a module once, and tries versions of its functions, each in a copy of this process.

What a version gives, raises, prints and does to its arguments is told call by call; which of it is
right is judged from what another version does with the same calls.
"""

import __future__

import contextlib
import importlib
import importlib.util
import io
import json
import os
import select
import signal
import sys
import time
import types
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from archipel.sandbox.inside.plain import encode, same

_VERSION_SECONDS = 3.0
_MOST_CHARACTERS = 2000  # of what one call does, told
_CHUNK_BYTES = 1 << 16


def main() -> None:
    """The question is {"module": {"name", "text", "is_package"}, "versions": [{"function", "text",
    "calls": [arguments, …]}, …]}; the first line is empty.

    The answer is a list for each version with what each call did, None for one that was not told,
    and shorter where a call did not end in time; nothing for a module that does not load.
    """
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    channel.write("\n")
    channel.flush()
    question = json.load(sys.stdin)
    _silence()
    try:
        module = load(question["module"])
    except BaseException:  # noqa: BLE001 (whatever a module raises: SystemExit too)
        told = []
    else:
        told = [try_version(module, version) for version in question["versions"]]
    json.dump(told, channel)
    channel.flush()
    os._exit(0)  # threads that the module has started are not waited for


def check(question: dict[str, Any], expected: list[Any]) -> None:
    """Try the question's one version.

    Raises:
        AssertionError: it does not do what is expected.
    """
    told = try_version(load(question["module"]), question["versions"][0])
    if not agree(told, expected):
        raise AssertionError(f"{told} instead of {expected}")


def agree(told: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Whether all calls did the same."""
    return len(told) == len(expected) and all(map(same, told, expected))


def load(about: dict[str, Any]) -> types.ModuleType:
    """The module of that text; it stands under its name in place of the one that Python has."""
    name, is_package = about["name"], about["is_package"]
    module = types.ModuleType(name)
    module.__package__ = name if is_package else name.rpartition(".")[0]
    if module.__package__ and not is_package:
        importlib.import_module(module.__package__)  # which may import what we replace
    if is_package:
        spec = importlib.util.find_spec(name)
        module.__path__ = list(spec.submodule_search_locations or ()) if spec else []
    sys.modules[name] = module
    exec(compile(about["text"], f"{name}.py", "exec", dont_inherit=True), vars(module))
    return module


def try_version(module: types.ModuleType, version: dict[str, Any]) -> list[Any]:
    """What each call of one version of a function did, as far as it came."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        _tell(module, version, write_end)
    os.close(write_end)
    try:
        lines = _hear(read_end, time.monotonic() + _VERSION_SECONDS)
    finally:
        os.close(read_end)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return [json.loads(line) for line in lines]


def _tell(module: types.ModuleType, version: dict[str, Any], pipe: int) -> NoReturn:
    """A line for each call, from a process that ends here."""
    try:
        _silence()
        function = _replaced(module, version["function"], version["text"])
        for arguments in version["calls"]:
            line = json.dumps(_done(function, arguments))
            os.write(pipe, (line if len(line) <= _MOST_CHARACTERS else "null").encode() + b"\n")
    finally:
        os._exit(0)


def _silence() -> None:
    """Nothing comes from standard input or goes to standard output any more."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def _replaced(module: types.ModuleType, name: str, text: str) -> Callable[..., Any]:
    """The function that `text` defines in the module, where the module's own is no more."""
    namespace = vars(module)
    del namespace[name]
    postponed = namespace.get("annotations") is __future__.annotations
    flags = __future__.annotations.compiler_flag if postponed else 0
    exec(compile(text, f"{name}.py", "exec", flags, dont_inherit=True), namespace)
    function: Callable[..., Any] = namespace[name]
    return function


def _done(function: Callable[..., Any], arguments: str) -> dict[str, Any]:
    given, named = eval(f"_given({arguments})", {"_given": _given})  # noqa: S307 (in the sandbox)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            told = {"value": encode(function(*given, **named))}
    except BaseException as error:  # noqa: BLE001 (whatever the function raises)
        told = {"raised": type(error).__name__}
    return told | {"printed": printed.getvalue(), "given": encode([*given, named])}


def _given(*given: Any, **named: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return given, named


def _hear(pipe: int, deadline: float) -> list[bytes]:
    """The whole lines that come until the other end is closed or it is too late."""
    data = b""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([pipe], [], [], left)[0]:
            break
        piece = os.read(pipe, _CHUNK_BYTES)
        if not piece:
            break
        data += piece
    return data.split(b"\n")[:-1]
