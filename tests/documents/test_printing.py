"""Office files as PDF, by LibreOffice behind walls."""

import asyncio
from pathlib import Path

import docx
import pypdfium2
import pytest

from archipel.documents.printing import print_pdf
from archipel.errors import ConfigError


def test_a_word_file_is_printed_page_by_page(libreoffice: str, tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("A first page.")
    document.add_page_break()
    document.add_paragraph("A second one.")
    document.save(str(tmp_path / "stored"))  # files are stored without their names
    printed = tmp_path / "printed.pdf"
    asyncio.run(print_pdf(tmp_path / "stored", "Ein Brief.docx", printed))
    with pypdfium2.PdfDocument(printed) as pdf:
        assert len(pdf) == 2
        assert "A second one." in pdf[1].get_textpage().get_text_bounded()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["printed.pdf", "stored"]


def test_without_the_programs_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="Install them, or download the file"):
        asyncio.run(print_pdf(tmp_path / "a", "a.docx", tmp_path / "a.pdf"))
