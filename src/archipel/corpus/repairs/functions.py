"""Small functions in the text of Python modules. Reads by `ast`; nothing is imported or run."""

import ast
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from archipel.corpus.documents import find_files
from archipel.errors import ConfigError

_MOST_BYTES = 1 << 20  # of a file
_PASSED_OVER = {  # folders with tests, or with what others wrote
    *("test", "tests", "idle_test", "_vendor", "vendor", "vendored", "third_party", "node_modules"),
    *("site-packages", "dist-packages"),
}
_UNPARSED = (SyntaxError, ValueError, RecursionError, MemoryError)

_Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A module's dotted name and text; a package's is that of its `__init__.py`."""

    name: str
    text: str
    is_package: bool


@dataclass(frozen=True)
class Function:
    """A function or method of a module, by its qualified name. `text` begins at the margin, with
    its decorators; `is_callable`: whoever has the module calls it by its name alone."""

    module: Module
    name: str
    text: str
    is_callable: bool


class Unparsed(Exception):
    """A file that is no Python of this version, too large, or not UTF-8; the message is why."""


def find_modules(inputs: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """The Python files that `inputs` name and are below them, each with its module's name as seen
    from there; those of tests and of vendored packages are passed over.

    Raises:
        ConfigError: an input does not exist, or there is no Python in any.
    """
    found = False
    for root in inputs:
        for path in find_files([root]):
            inner = path.relative_to(root) if root.is_dir() else Path(path.name)
            if path.suffix == ".py" and not _is_passed_over(inner):
                found = True
                words = list(inner.with_suffix("").parts)
                if words[-1] == "__init__":
                    words.pop()
                yield path, ".".join(words or [root.resolve().name])
    if not found:
        raise ConfigError(
            f"no Python in {', '.join(map(str, inputs))}, tests and vendored packages apart. Name "
            "other files or folders."
        )


def _is_passed_over(path: Path) -> bool:
    return bool(_PASSED_OVER.intersection(path.parts)) or path.name.startswith("test_")


def read_module(path: Path, name: str) -> Module:
    """The module in a file.

    Raises:
        ConfigError: the file can't be read.
        Unparsed: it is too large or not UTF-8.
    """
    try:
        data = path.read_bytes()
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise Unparsed("not UTF-8") from None
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}. Check the path.") from error
    if len(data) > _MOST_BYTES:
        raise Unparsed(f"over {_MOST_BYTES:,} bytes")
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return Module(name, lines, path.name == "__init__.py")


def functions_of(module: Module, most_lines: int, most_characters: int) -> list[Function]:
    """The module's functions and methods of no more than that, those inside functions apart.

    Raises:
        Unparsed: the module is no Python of this version.
    """
    try:
        tree = _parse(module.text)
    except _UNPARSED as error:
        raise Unparsed(f"{type(error).__name__}: {error}") from None
    lines = module.text.split("\n")
    found = []
    for name, node in _definitions(tree.body, ""):
        first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        own = lines[first - 1 : node.end_lineno]
        text = textwrap.dedent("\n".join(own)) if node.col_offset else "\n".join(own)
        if len(own) <= most_lines and len(text) <= most_characters and parse_function(text):
            is_callable = not node.col_offset and isinstance(node, ast.FunctionDef)
            found.append(Function(module, name, text, is_callable))
    return found


def parse_function(text: str) -> _Definition | None:
    """The one function that `text` is; None if it is anything else."""
    try:
        body = _parse(text).body
    except _UNPARSED:
        return None
    return body[0] if len(body) == 1 and isinstance(body[0], _Definition) else None


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python thinks of others' backslashes
        return ast.parse(text)


def _definitions(body: Iterable[ast.AST], prefix: str) -> Iterator[tuple[str, _Definition]]:
    """Also those under a condition, or in a class."""
    for node in body:
        if isinstance(node, _Definition):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _definitions(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.ExceptHandler):
            yield from _definitions(ast.iter_child_nodes(node), prefix)
