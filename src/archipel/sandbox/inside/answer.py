"""Loads the code under test, then answers calls of it: what each gives, raises and prints.

Right or wrong, quick or slow is judged outside, from what comes out of the pipe and when.
"""

import contextlib
import io
import json
import os
import sys
import traceback
import types
from pathlib import Path
from typing import Any

from archipel.sandbox.inside.plain import encode

_TRACE_CHARACTERS = 4000


def main() -> None:
    """Arguments: the module's name; how many copies to load, none to run it as a script.

    Each copy is a module of its own, so that no copy finds what another has kept. The question is
    {"calls": [expression, …], "copy": the one whose answers are told}.
    """
    name, copies = sys.argv[3], int(sys.argv[4])
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as channel:
        os.dup2(2, 1)  # what the code prints past `sys.stdout` is no answer
        sys.path[0] = str(Path.cwd())  # in place of the harness
        try:
            source = Path(name.replace(".", "/") + ".py").read_text(encoding="utf-8")
            code = compile(source, f"{name}.py", "exec")
            modules = [_load(name, code) for _ in range(copies)]
        except BaseException as error:  # noqa: BLE001 (code under test: SystemExit too)
            told: list[Any] = [{"loading": _raised(error)["trace"]}]
            channel.write("ready\n")
        else:
            channel.write("ready\n")
            channel.flush()
            told = _answers(json.load(sys.stdin), modules, code)
        json.dump(told, channel)
    os._exit(0)  # threads that the code has left are not waited for


def _answers(
    question: dict[str, Any], modules: list[types.ModuleType], code: types.CodeType
) -> list[Any]:
    if not modules:
        return [_run_script(code)]
    for place, module in enumerate(modules):
        answers = [_answer(vars(module), call) for call in question["calls"]]
        if place == question["copy"]:
            told = answers
    return told


def _load(name: str, code: types.CodeType) -> types.ModuleType:
    module = types.ModuleType(name)
    sys.modules[name] = module  # dataclasses look here
    exec(code, vars(module))
    return module


def _answer(namespace: dict[str, Any], call: str) -> dict[str, Any]:
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            value = encode(eval(call, namespace))  # noqa: S307 (what the sandbox is for)
        return {"value": value, "printed": printed.getvalue()}
    except BaseException as error:  # noqa: BLE001 (as above)
        return _raised(error) | {"printed": printed.getvalue()}


def _run_script(code: types.CodeType) -> dict[str, Any]:
    printed = io.StringIO()
    main_module = types.ModuleType("__main__")
    sys.modules["__main__"] = main_module
    try:
        with contextlib.redirect_stdout(printed):
            exec(code, vars(main_module))
    except SystemExit as error:
        if error.code not in (None, 0):
            return _raised(error) | {"printed": printed.getvalue()}
    except BaseException as error:  # noqa: BLE001 (as above)
        return _raised(error) | {"printed": printed.getvalue()}
    return {"value": None, "printed": printed.getvalue()}


def _raised(error: BaseException) -> dict[str, Any]:
    frames = "".join(traceback.format_exception(error))
    return {"raised": type(error).__name__, "trace": frames[-_TRACE_CHARACTERS:], "printed": ""}
