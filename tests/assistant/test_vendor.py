"""The browser's libraries in the page's folder are those that scripts/vendor names."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VENDOR = ROOT / "src/archipel/assistant/static/vendor"


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [ROOT / "scripts/vendor", "--check", "--folder", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_lies_there_is_what_the_table_says() -> None:
    done = check(VENDOR)
    assert (done.returncode, done.stderr) == (0, "")


def test_each_library_has_its_licence_beside_it() -> None:
    record = json.loads((VENDOR / "vendored.json").read_text())
    assert record
    for folder, library in record.items():
        assert library["license"] in {"MIT", "BSD-3-Clause"}
        assert "Copyright" in (VENDOR / folder / "LICENSE").read_text()


@pytest.mark.parametrize("change", ["alter", "remove", "add", "record"])
def test_a_change_is_named(tmp_path: Path, change: str) -> None:
    folder = tmp_path / "vendor"
    shutil.copytree(VENDOR, folder)
    file = folder / "marked/marked.esm.js"
    record = folder / "vendored.json"
    if change == "alter":
        file.write_text(file.read_text() + "\n")
    elif change == "remove":
        file.unlink()
    elif change == "add":
        (folder / "marked/other.js").write_text("")
    else:
        record.write_text(record.read_text().replace('"version": "', '"version": "9'))
    done = check(folder)
    assert done.returncode == 1
    named = {"add": "other.js", "record": "vendored.json"}.get(change, "marked.esm.js")
    assert named in done.stderr
