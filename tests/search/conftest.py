"""A person's folder with documents in it, and `archipel search` over it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from archipel.cli.main import app
from tests.documents.made import make_docx, make_pdf, make_pptx, make_xlsx

LEAVE = "Every keeper has twenty-eight days of paid leave a year."
LAMP = "La lampe du phare brûle quarante litres de pétrole par nuit."
BOAT = "The supply boat calls at the lighthouse every second Tuesday."


@dataclass
class Searching:
    """The command, a folder that it watches, and the home with its index."""

    folder: Path
    home: Path

    def invoke(self, *words: str) -> Result:
        """The command with these words, whatever comes of it."""
        return CliRunner().invoke(app, ["search", *words])

    def __call__(self, *words: str) -> str:
        """What the command prints; it must do what it is told."""
        done = self.invoke(*words)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    def hits(self, *words: str) -> list[dict[str, Any]]:
        """What is found."""
        return list(json.loads(self(*words, "--json")))

    def names(self, *words: str) -> list[str]:
        """The names of the files that are found, best first."""
        return [Path(hit["path"]).name for hit in self.hits(*words)]

    def counted(self) -> dict[str, Any]:
        """What `folders` says of the one folder."""
        [counted] = json.loads(self("folders", "--json"))
        return dict(counted)

    def refused(self) -> dict[str, tuple[str, str]]:
        """Kind and reason by name, of the files that were not read."""
        return {
            Path(path).name: (refusal["kind"], reason)
            for refusal in self.counted()["refusals"]
            for path, reason in refusal["examples"]
        }


@pytest.fixture
def searching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Searching:
    """A folder that is watched and empty."""
    folder, home = tmp_path / "papers", tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("ARCHIPEL_HOME", str(home))
    found = Searching(folder, home)
    found("add", str(folder))
    return found


@pytest.fixture
def filled(searching: Searching) -> Searching:
    """One of each kind in it, read, by a process: a browser may have this one's event loop."""
    folder = searching.folder
    (folder / "boat.md").write_text(f"# Supplies\n\nBread is baked on site.\n\n{BOAT}\n")
    make_docx(folder / "leave.docx", [("Heading 1", "Leave"), ("Normal", LEAVE)])
    make_pdf(folder / "lampe.pdf", [[("Le phare", 18)], [("La lampe", 18), ("", 12), (LAMP, 12)]])
    make_xlsx(folder / "costs.xlsx", {"Stores": [["item", "price"], ["paraffin", 12]]})
    make_pptx(folder / "talk.pptx", [("Fog signals", "The horn sounds twice a minute", "")])
    subprocess.run([sys.executable, "-m", "archipel", "search", "index"], check=True)
    return searching
