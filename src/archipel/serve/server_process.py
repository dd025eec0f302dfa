"""Another program's server, such as vLLM's, kept: started, waited for, and ended with its children.

Speaks to its parent as every engine's process does: reads its settings, a line of JSON, from
standard input; writes the server's URL, a line of JSON, to standard output when that is ready; ends
when standard input does, and with the server.
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import httpx

from archipel import config
from archipel.serve.child import begin
from archipel.serve.launch import filled

_LOOK_SECONDS = 0.25
_GRACE_SECONDS = 5.0  # after SIGTERM
_SUBREAPER, _PARENT_DEATH = 36, 1  # of prctl(2)
Server = subprocess.Popen[bytes]


def main() -> None:
    """Keep one server until standard input or the server ends."""
    settings, say = begin()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    _control(_SUBREAPER)  # the children of a server that died come to us, and end with us
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    server = _started(settings, port)
    try:
        url = f"http://127.0.0.1:{port}"
        if _comes_up(server, url + settings["health"], settings["start_seconds"]):
            say({"url": url})
            while server.poll() is None and not _told_to_end():
                pass
    finally:
        _end(server)
    sys.exit(server.returncode and 1)


def _started(settings: Mapping[str, Any], port: int) -> Server:
    values = {"port": port, "key": settings["api_key"]}
    command = [filled(part, values) for part in settings["command"]]
    extra = {settings["key_env"]: settings["api_key"]} if settings["key_env"] else {}
    log_file = settings["log_file"]
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(Path(log_file).open("ab")) if log_file else subprocess.PIPE
        try:
            server = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=config.foreign_environment(**extra),
                preexec_fn=_dies_with_parent(),
            )
        except OSError as error:
            _say(f"can't run {command[0]!r}: {error.strerror}. Check the path in `command`")
            sys.exit(1)
    if server.stdout is not None:
        threading.Thread(target=_pass_on, args=(server.stdout,), daemon=True).start()
    else:
        _say(f"what it printed is in {log_file}")
    return server


_is_up = threading.Event()


def _pass_on(output: IO[bytes]) -> None:
    """What the server prints while it loads is for the parent's log; later it may hold what people
    ask, and goes nowhere."""
    for line in output:
        if not _is_up.is_set():
            sys.stderr.buffer.write(line)
            sys.stderr.flush()


def _comes_up(server: Server, url: str, seconds: float) -> bool:
    """Whether it answers 200 before it ends, its time is over, or it is no longer wanted."""
    until = time.monotonic() + seconds
    with httpx.Client(trust_env=False, timeout=5) as client:
        while server.poll() is None and not _told_to_end():
            with contextlib.suppress(httpx.HTTPError):
                if client.get(url).status_code == 200:
                    _is_up.set()
                    return True
            if time.monotonic() > until:
                _say(f"{url} has not answered 200 within {seconds:g} s. Raise start_seconds")
                return False
    if server.returncode is not None:
        _say(f"the server ended with {server.returncode}")
    return False


def _told_to_end() -> bool:
    """Whether standard input has ended; takes a moment to look."""
    readable, _, _ = select.select([sys.stdin], [], [], _LOOK_SECONDS)
    return bool(readable)


def _end(server: Server) -> None:
    """Ask the server to end, then kill it and all that it has started."""
    if server.poll() is None:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_GRACE_SECONDS)
    if server.poll() is None:
        server.kill()
        server.wait()
    while children := _children():
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _children() -> list[int]:
    """This process's, among them those whose parent has ended; their own come when they end."""
    found = []
    for file in Path("/proc/self/task").glob("*/children"):
        found += [int(child) for child in file.read_text().split()]
    return found


def _dies_with_parent() -> Callable[[], None]:
    library = _library()
    return lambda: library and library.prctl(_PARENT_DEATH, signal.SIGKILL)


def _control(what: int) -> None:
    if library := _library():
        library.prctl(what, 1)


def _library() -> Any:
    """The system's own, where it has prctl."""
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
