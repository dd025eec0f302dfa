"""Tests rewritten for a control run, in which each must fail at its end, and only there.

Pure: from text to text.
"""

import ast

from archipel.assistant.workshop.findings import insert_line
from archipel.sandbox.inside import __name__ as _inside

_MODULE = f"{_inside}.control"
_IMPORT = f"from {_MODULE} import fails_at_its_end as _fails_at_its_end, strict as _strict"


def strict_tests(tests: str) -> str:
    """`tests` with each `a == b` as `_strict(a) == _strict(b)`, unittest's `assertEqual` likewise,
    and every test under `@_fails_at_its_end`; see `inside.control`."""
    tree = _Strict().visit(ast.parse(tests))
    return insert_line(ast.unparse(ast.fix_missing_locations(tree)), _IMPORT)


def strict_examples(text: str) -> str:
    """Documented examples with a last one that fails."""
    return f"{text}\n>>> from {_MODULE} import ControlFailure\n>>> raise ControlFailure\n"


class _Strict(ast.NodeTransformer):
    def visit_Compare(self, node: ast.Compare) -> ast.Compare:
        self.generic_visit(node)
        if all(isinstance(operator, ast.Eq) for operator in node.ops):
            node.left, *node.comparators = map(_wrapped, [node.left, *node.comparators])
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "assertEqual":
            node.args[:2] = map(_wrapped, node.args[:2])
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        _control(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        self.generic_visit(node)
        _control(node)
        return node


def _wrapped(value: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("_strict", ast.Load()), [value], [])


def _control(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    if function.name.startswith("test"):
        function.decorator_list.append(ast.Name("_fails_at_its_end", ast.Load()))
