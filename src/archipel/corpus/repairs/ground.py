"""A function's text as ground for mistakes: what in it decides behaviour, and where that stands."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


class Ground:
    """A function's text as bytes, with its nodes' places in it, its variables and its texts."""

    def __init__(self, text: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.data = text.encode()
        self._lines = [0]
        for line in self.data.split(b"\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)
        self.nodes = list(_working_nodes(function))
        self.variables = _variables(function, self.nodes)
        self.texts = sorted(
            {one.value for one in self.nodes if is_constant(one, str) and one.value.isprintable()}
        )

    def span(self, node: Any) -> tuple[int, int]:
        """Where a node begins and ends."""
        start = self._lines[node.lineno - 1] + node.col_offset
        return start, self._lines[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: Any) -> bytes:
        """A node's own text."""
        start, end = self.span(node)
        return self.data[start:end]

    def sign(self, left: Any, sign: str, right: Any) -> tuple[int, int] | None:
        """Where an operator stands between two nodes; None where a comment does, too."""
        start, end = self.span(left)[1], self.span(right)[0]
        words = rb"\s+".join(re.escape(word.encode()) for word in sign.split())
        found = re.fullmatch(rb"[\s\\)]*(" + words + rb")[\s\\(]*", self.data[start:end])
        return (start + found.start(1), start + found.end(1)) if found else None


def _working_nodes(node: ast.AST) -> Iterator[Any]:
    """What decides behaviour: no decorators, annotations, documentation; no formatted strings,
    whose parts have no true place before Python 3.12."""
    for name, value in ast.iter_fields(node):
        if name in ("decorator_list", "annotation", "returns"):
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ast.JoinedStr) or _is_documentation(one):
                continue
            if isinstance(one, ast.AST):
                yield one
                yield from _working_nodes(one)


def _is_documentation(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _variables(function: Any, nodes: Iterable[Any]) -> Mapping[str, int]:
    """The function's own names, and the line from which each is known."""
    arguments = function.args
    given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    given += [one for one in (arguments.vararg, arguments.kwarg) if one]
    known = {one.arg: 0 for one in given if one.arg not in ("self", "cls")}
    inner = {id(part) for node in nodes if _is_scope(node) for part in ast.walk(node)}
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in inner:
            known.setdefault(node.id, node.lineno)
    return known


def _is_scope(node: object) -> bool:
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    return isinstance(node, (*scopes, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp))


def is_constant(node: object, kind: type) -> bool:
    """Whether a node is a constant of that type and of no other; `True` is no `int` here."""
    return isinstance(node, ast.Constant) and type(node.value) is kind
