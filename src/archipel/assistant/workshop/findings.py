"""What can be found in code and tests without running them: names, tests, calls, a module.

Pure: text and syntax trees only.
"""

import ast
import contextlib
import doctest
import itertools
import re
import sys
from collections.abc import Iterator

_DEFINED = re.compile(r"^(?:(?:async\s+)?def|class)\s+(\w+)|^(\w+)\s*(?::[^=\n]+)?=[^=]", re.M)


def defined_names(code: str) -> set[str]:
    """Top-level names, found without a parser: code to repair may not parse."""
    return {one or other for one, other in _DEFINED.findall(code)}


def imported_module(tests: ast.Module, defined: set[str]) -> str | None:
    """The module that the tests take the code for: what they import that the code defines."""
    for node in ast.walk(tests):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            wanted = {alias.name for alias in node.names}
            known = node.module.partition(".")[0] in sys.stdlib_module_names
            if not known and (wanted <= defined or wanted == {"*"}):
                return node.module
        elif isinstance(node, ast.Import):
            for alias in node.names:
                known = alias.name.partition(".")[0] in sys.stdlib_module_names
                if not known and _attributes(tests, alias.asname or alias.name) & defined:
                    return alias.name
    return None


def _attributes(tree: ast.Module, name: str) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == name
    }


def with_names_from(module: str, tests: str, tree: ast.Module, defined: set[str]) -> str:
    """`tests` with an import of what they use of the code, if they use it without one."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names = sorted((used & defined) - defined_names(tests))
    return insert_line(tests, f"from {module} import {', '.join(names)}") if names else tests


def insert_line(tests: str, line: str) -> str:
    """`tests` with `line` first, or after the imports from `__future__`."""
    lines = tests.splitlines()
    last_future = max(
        (place for place, text in enumerate(lines) if text.startswith("from __future__")),
        default=-1,
    )
    return "\n".join([*lines[: last_future + 1], line, *lines[last_future + 1 :]]) + "\n"


def tests_within(code: str) -> str:
    """The tests that stand in the code itself, as a file of their own; "" if there are none."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return ""
    tests = [node for node in tree.body if _is_test(node)]
    if not tests:
        return ""
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return ast.unparse(ast.Module([*imports, *tests], []))


def _is_test(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name.startswith("test_")
    if isinstance(node, ast.ClassDef):
        return node.name.startswith("Test") or any(
            ast.unparse(base).endswith("TestCase") for base in node.bases
        )
    return False


def documented_examples(code: str) -> dict[str, str]:
    """Name and docstring of what has examples for doctest; a new version can't alter these."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return {}
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        text = ast.get_docstring(node) if isinstance(node, kinds) else None
        if text and _has_examples(text):
            name = getattr(node, "name", "module")
            found[name if name not in found else f"{name}_{len(found)}"] = text
    return found


def _has_examples(text: str) -> bool:
    try:
        return bool(doctest.DocTestParser().get_examples(text))
    except ValueError:  # not well-formed: doctest would refuse it as well
        return False


def literal_calls(texts: list[str], defined: set[str]) -> list[str]:
    """Calls of the code with literal arguments only, in tests or documented examples."""
    found: dict[str, None] = {}
    for node in itertools.chain.from_iterable(map(ast.walk, _trees(texts))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        if name in defined and not name.startswith("test") and all(map(_is_literal, arguments)):
            found[ast.unparse(ast.Call(ast.Name(name), node.args, node.keywords))] = None
    return list(found)


def _trees(texts: list[str]) -> Iterator[ast.Module]:
    for text in texts:
        try:
            yield ast.parse(text)
        except SyntaxError:
            for example in doctest.DocTestParser().get_examples(text):
                with contextlib.suppress(SyntaxError):
                    yield ast.parse(example.source)


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True
