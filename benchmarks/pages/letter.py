"""Draws docs/office.png: a letter before and after `archipel doc correct` by a model of 135 million
parameters, as LibreOffice prints both. `python -m benchmarks.pages.letter`; needs LibreOffice,
bubblewrap and `archipel pull smollm2-135m`.
"""

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

import pypdfium2
from docx import Document
from PIL import Image

from archipel.documents.printing import print_pdf

_MODEL = "smollm2-135m"
_PICTURE = Path("docs/office.png")
_SCALE, _TOP = 1.25, (60, 20, 740, 460)  # of a page: left, top, right, bottom in pixels
_GAP = 20


def main() -> None:
    """Make the letter, have it corrected, print both, put them side by side."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "letter.docx"), Path(folder, "letter.corrected.docx")
        _letter(before)
        command = [sys.executable, "-c", "from archipel.cli.main import main; main()"]
        subprocess.run([*command, "doc", "correct", str(before), "-m", _MODEL], check=True)
        pages = [_page(path, Path(folder, f"{path.stem}.pdf")) for path in (before, after)]
    width = sum(page.width for page in pages) + _GAP
    picture = Image.new("RGB", (width, pages[0].height), "#e8e8e8")
    picture.paste(pages[0], (0, 0))
    picture.paste(pages[1], (pages[0].width + _GAP, 0))
    picture.save(_PICTURE, optimize=True)


def _letter(path: Path) -> None:
    document = Document()
    document.sections[0].header.paragraphs[0].text = "Harbour of Brest"
    document.add_heading("Minutes of the harbour committee", 1)
    line = document.add_paragraph("The committee have met on ")
    line.add_run("Tuesday 3 May").bold = True
    line.add_run(" and decided to buys two new printer.")
    document.add_paragraph(
        "The ferry to the island leave every two hour, and the tickets is sold at the office."
    )
    document.add_heading("What was decided", 2)
    for text in (
        "The lighthouse will be paint before the summer.",
        "The fishermen has asked for a new crane near the quay.",
    ):
        document.add_paragraph(text, style="List Bullet")
    table = document.add_table(3, 3, "Light Grid Accent 1")
    rows = (("Work", "Price", "When"), ("Painting", "12,000", "June"), ("A crane", "85,000", "May"))
    for row, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.save(str(path))


def _page(path: Path, pdf: Path) -> Image.Image:
    asyncio.run(print_pdf(path, path.name, pdf))
    with pypdfium2.PdfDocument(pdf) as printed:
        page: Image.Image = printed[0].render(scale=_SCALE).to_pil()
    return page.convert("RGB").crop(_TOP)


if __name__ == "__main__":
    main()
