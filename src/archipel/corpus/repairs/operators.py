"""The mistakes that are made, kind by kind: mutation testing's operators, as edits of a text.

An edit keeps all else of the text, comments and layout too. Whether the result is Python is for
others to see.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from archipel.corpus.repairs.ground import Ground, is_constant

_COMPARISONS: Mapping[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">=")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<=")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
_ARITHMETIC: Mapping[type[ast.operator], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("+", "//")),
    ast.Div: ("/", ("*", "//")),
    ast.FloorDiv: ("//", ("%", "*")),
    ast.Mod: ("%", ("//",)),
    ast.Pow: ("**", ("*",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&",)),
    ast.BitXor: ("^", ("|",)),
}
_TWINS = [
    *("min max", "any all", "startswith endswith", "lower upper", "lstrip rstrip", "find rfind"),
    *("index rindex", "split rsplit", "partition rpartition", "append extend", "keys values"),
    *("union intersection", "encode decode", "ljust rjust", "floor ceil", "first last"),
]
_TWIN = {one: other for pair in _TWINS for one, other in (pair.split(), pair.split()[::-1])}
_NO_BRACKETS_NEEDED = (ast.Name, ast.Call, ast.Attribute, ast.Subscript, ast.Compare)


class Edit(NamedTuple):
    """A mistake: the bytes from `start` to `end` of a text, and what stands there instead."""

    kind: str
    start: int
    end: int
    text: bytes


_Place = tuple[int, int, bytes]


def edits(ground: Ground) -> Iterator[Edit]:
    """Every mistake that could be made in a function; some may give no Python."""
    for node in ground.nodes:
        for kind, (types, make) in _KINDS.items():
            if isinstance(node, types):
                for start, end, text in make(node, ground):
                    yield Edit(kind, start, end, text)


def _comparison(node: ast.Compare, ground: Ground) -> Iterator[_Place]:
    for operator, pair in zip(node.ops, pairwise([node.left, *node.comparators]), strict=True):
        yield from _signs(_COMPARISONS[type(operator)], *pair, ground)


def _arithmetic(node: ast.BinOp, ground: Ground) -> Iterator[_Place]:
    if (known := _ARITHMETIC.get(type(node.op))) and not _formats(node):
        yield from _signs(known, node.left, node.right, ground)


def _formats(node: ast.BinOp) -> bool:
    """Whether it is `"…" % …`, which every other sign breaks at once."""
    left = node.left
    return isinstance(node.op, ast.Mod) and (
        isinstance(left, ast.JoinedStr) or is_constant(left, str) or is_constant(left, bytes)
    )


def _assignment(node: ast.AugAssign, ground: Ground) -> Iterator[_Place]:
    if known := _ARITHMETIC.get(type(node.op)):
        old, new = known
        signs = (f"{old}=", tuple(f"{one}=" for one in new))
        yield from _signs(signs, node.target, node.value, ground)


def _signs(known: tuple[str, Sequence[str]], left: Any, right: Any, ground: Ground) -> list[_Place]:
    old, new = known
    place = ground.sign(left, old, right)
    return [(*place, one.encode()) for one in new] if place else []


def _boolean(node: ast.BoolOp, ground: Ground) -> Iterator[_Place]:
    signs = ("and", ("or",)) if isinstance(node.op, ast.And) else ("or", ("and",))
    for left, right in pairwise(node.values):
        yield from _signs(signs, left, right, ground)


def _negated(node: Any, ground: Ground) -> Iterator[_Place]:
    for test in node.ifs if isinstance(node, ast.comprehension) else [node.test]:
        text = ground.of(test)
        if isinstance(test, _NO_BRACKETS_NEEDED):
            yield (*ground.span(test), b"not " + text)
        elif isinstance(test, ast.BoolOp):
            yield (*ground.span(test), b"not (" + text + b")")


def _without_not(node: ast.UnaryOp, ground: Ground) -> Iterator[_Place]:
    if isinstance(node.op, ast.Not):
        start, _ = ground.span(node)
        found = re.match(rb"not\b[ \t]*", ground.data[start:])
        if found:
            yield start, start + found.end(), b""


def _off_by_one(node: Any, ground: Ground) -> Iterator[_Place]:
    start, end = ground.span(node)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id == "len":
            yield end, end, b" - 1"
            yield end, end, b" + 1"
    elif is_constant(node, int) and ground.of(node).isdigit():
        for value in (node.value + 1, node.value - 1):
            if value >= 0:
                yield start, end, str(value).encode()


def _constant(node: ast.Constant, ground: Ground) -> Iterator[_Place]:
    place = ground.span(node)
    if isinstance(node.value, bool):
        yield (*place, str(not node.value).encode())
    elif node.value is None:
        yield (*place, b"False")
    elif is_constant(node, int) and node.value not in (0, 1) and ground.of(node).isdigit():
        yield (*place, b"0")
    elif is_constant(node, str) and ground.of(node)[:1] in (b"'", b'"'):
        for text in ground.texts:
            if text != node.value:
                yield (*place, repr(text).encode())


def _variable(node: ast.Name, ground: Ground) -> Iterator[_Place]:
    if isinstance(node.ctx, ast.Load) and node.id in ground.variables:
        for name, line in ground.variables.items():
            if name != node.id and line <= node.lineno:
                yield (*ground.span(node), name.encode())


def _arguments(node: ast.Call, ground: Ground) -> Iterator[_Place]:
    for one, other in pairwise(node.args):
        if not isinstance(one, ast.Starred) and not isinstance(other, ast.Starred):
            (start, middle), (begin, end) = ground.span(one), ground.span(other)
            first, second = ground.of(one), ground.of(other)
            if first != second:
                yield start, end, second + ground.data[middle:begin] + first


def _return(node: ast.Return, ground: Ground) -> Iterator[_Place]:
    if node.value is not None and not is_constant(node.value, type(None)):
        start, _ = ground.span(node)
        found = re.match(rb"return\b[ \t]*", ground.data[start:])
        if found:
            yield start, start + found.end(), b""


def _twin(node: ast.Call, ground: Ground) -> Iterator[_Place]:
    start, end = ground.span(node.func)
    name = ground.data[start:end].rpartition(b".")[2]
    if isinstance(node.func, ast.Name | ast.Attribute) and (twin := _TWIN.get(name.decode())):
        yield end - len(name), end, twin.encode()


def _loop_exit(node: ast.Break | ast.Continue, ground: Ground) -> Iterator[_Place]:
    yield (*ground.span(node), b"continue" if isinstance(node, ast.Break) else b"break")


_KINDS: Mapping[str, tuple[Any, Callable[[Any, Ground], Iterator[_Place]]]] = {
    "comparison": (ast.Compare, _comparison),
    "boolean": (ast.BoolOp, _boolean),
    "negation": ((ast.If, ast.While, ast.IfExp, ast.comprehension), _negated),
    "not": (ast.UnaryOp, _without_not),
    "arithmetic": (ast.BinOp, _arithmetic),
    "assignment": (ast.AugAssign, _assignment),
    "off_by_one": ((ast.Constant, ast.Call), _off_by_one),
    "constant": (ast.Constant, _constant),
    "variable": (ast.Name, _variable),
    "arguments": (ast.Call, _arguments),
    "return": (ast.Return, _return),
    "twin": (ast.Call, _twin),
    "loop": ((ast.Break, ast.Continue), _loop_exit),
}
