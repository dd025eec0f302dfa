"""An engine's process as its parent knows it: a line of JSON comes in, and one goes out.

Settings and a key on standard input; the URL, when it answers, on standard output. Whatever else is
printed belongs in the log.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any


def begin() -> tuple[dict[str, Any], Callable[[Mapping[str, Any]], None]]:
    """The settings, and what says the one line to the parent."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(line: Mapping[str, Any]) -> None:
        with out:
            out.write(json.dumps(line) + "\n")

    return json.loads(sys.stdin.readline()), say
