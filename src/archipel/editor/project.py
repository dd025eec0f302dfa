"""What a suggestion should know of the project: the definitions that a file imports, and those of
the other open files, as short as their signatures. Reads files, runs none.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+\(?([\w \t,*]*)|import[ \t]+([\w.]+))", re.M
)
_DEFINITION = re.compile(
    r"^[ \t]*(?:export[ \t]+|pub[ \t]+|public[ \t]+|static[ \t]+|async[ \t]+|const[ \t]+)*"
    r"(?:function|class|def|fn|func|struct|interface|type|enum|trait|impl)\b[^\n]*",
    re.M,
)
_FILE_BYTES = 200 << 10
_FILES = 8
_PARSED = 64  # files whose signatures are kept: parsing one takes up to half a second
_ROOTS = ("", "src", "lib")  # of packages, below the project's folder


def nearby(
    path: Path, source: str, root: Path, opened: Mapping[Path, str], room: int
) -> list[tuple[str, str]]:
    """Names and signatures of what stands near the file at `path`: of modules of the project that
    it imports, if it is Python, then of other open files of its kind: `room` characters at most."""
    told: list[tuple[str, str]] = []
    left = room
    for file in _files(path, source, root, opened):
        text = opened.get(file) or _read(file)
        found = signatures(text) if file.suffix == ".py" else other_signatures(text)
        found = found[:left].rpartition("\n")[0] if len(found) > left else found
        if found:
            told.append((_shown(file, root), found))
            left -= len(found)
        if left <= 0 or len(told) == _FILES:
            break
    return told


@lru_cache(_PARSED)
def signatures(source: str) -> str:
    """The functions and classes of a Python module, with their first lines only; empty if it is no
    Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return ""
    return "\n".join(_signatures(tree.body, ""))


def other_signatures(source: str) -> str:
    """The lines of a text that look like definitions, in most languages' words for them."""
    return "\n".join(match[0].rstrip(" {") for match in _DEFINITION.finditer(source))


def imported(source: str) -> Iterator[str]:
    """The modules that lines of Python import, with the names taken from them as modules too."""
    for module, names, plain in _IMPORT.findall(source):
        if plain:
            yield plain
        else:
            yield module
            yield from (f"{module}.{one.split()[0]}" for one in names.split(",") if one.strip())


def _files(path: Path, source: str, root: Path, opened: Mapping[Path, str]) -> Iterator[Path]:
    seen = {path}
    modules = imported(source) if path.suffix == ".py" else ()
    for module in modules:
        for file in _places(module, path, root):
            if file not in seen and (file in opened or file.is_file()):
                seen.add(file)
                yield file
    yield from (file for file in opened if file not in seen and file.suffix == path.suffix)


def _places(module: str, path: Path, root: Path) -> Iterator[Path]:
    """Where a module's file may be. Only within the project."""
    level = len(module) - len(module.lstrip("."))
    parts = [part for part in module.lstrip(".").split(".") if part]
    if level:
        folders = [path.parents[level - 1]] if level <= len(path.parents) else []
    else:
        folders = [root / each for each in _ROOTS]
    for folder in folders:
        stem = folder.joinpath(*parts)
        for file in (stem.with_suffix(".py"), stem / "__init__.py"):
            if parts and file.is_relative_to(root):
                yield file


def _signatures(body: list[ast.stmt], indent: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            bases = f"({', '.join(map(ast.unparse, node.bases))})" if node.bases else ""
            yield f"{indent}class {node.name}{bases}:{_about(node)}"
            yield from _signatures(node.body, indent + "    ")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
            gives = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            yield f"{indent}{word} {node.name}({ast.unparse(node.args)}){gives}:{_about(node)}"


def _about(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    first = (ast.get_docstring(node) or "").partition("\n")[0]
    return f"  # {first}" if first else ""


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _FILE_BYTES:
            return ""
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _shown(file: Path, root: Path) -> str:
    return str(file.relative_to(root)) if file.is_relative_to(root) else file.name
