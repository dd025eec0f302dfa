"""What a suggestion is told of the project."""

from pathlib import Path

from archipel.editor.project import nearby


def write(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = root / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_imported_modules_of_the_project_come_first_and_as_signatures(tmp_path: Path) -> None:
    write(
        tmp_path,
        src__shop__tax_py='class Tax(Base):\n    """What is due."""\n\n'
        "    def rate(self, at: int = 1) -> float:\n        return 1.0\n",
        src__shop__other_py="async def fetch(): ...\n",
    )
    here = tmp_path / "src/shop/main.py"
    source = "import os\nfrom .tax import Tax\nfrom shop.other import fetch\n"
    assert nearby(here, source, tmp_path, {}, 2000) == [
        (
            "src/shop/tax.py",
            "class Tax(Base):  # What is due.\n    def rate(self, at: int=1) -> float:",
        ),
        ("src/shop/other.py", "async def fetch():"),
    ]


def test_open_files_of_the_same_kind_are_told_as_they_are_in_the_editor(tmp_path: Path) -> None:
    opened = {
        tmp_path / "a.ts": "export function add(a: number) {\n  return a;\n}\n",
        tmp_path / "b.py": "def b(): ...\n",
    }
    told = nearby(tmp_path / "c.ts", "", tmp_path, opened, 2000)
    assert told == [("a.ts", "export function add(a: number)")]


def test_nothing_outside_the_project_is_read_and_what_is_no_python_is_left_out(
    tmp_path: Path,
) -> None:
    write(tmp_path, secret_py="def password(): ...\n", project__broken_py="def (:\n")
    root = tmp_path / "project"
    source = "from ..secret import password\nimport broken\n"
    assert nearby(root / "pkg" / "x.py", source, root, {}, 2000) == []
    assert nearby(root / "x.py", source, root, {}, 2000) == []


def test_what_is_told_has_an_end(tmp_path: Path) -> None:
    write(tmp_path, long_py="".join(f"def function_{n}(): ...\n" for n in range(5000)))
    [(name, told)] = nearby(tmp_path / "x.py", "import long", tmp_path, {}, 2000)
    assert name == "long.py"
    assert len(told) <= 2000
    assert told.endswith("():")
