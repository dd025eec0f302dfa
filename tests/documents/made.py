"""Documents of every kind, made by their own libraries (and a PDF by hand) for the tests."""

import io
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

import docx
import openpyxl
import pptx
from pptx.util import Inches

Lines = Sequence[tuple[str, float]]  # text and its size in points; "" is an empty line


def make_pdf(path: Path, pages: Sequence[Lines], title: str = "") -> Path:
    """A PDF of A4 pages in Helvetica, a line each, from 72 points left and 770 above the foot."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    objects.append(
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    )
    objects.append(f"<< /Title ({title}) >>")
    kids = []
    for lines in pages:
        content = _content(lines)
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources"
            f" << /Font << /F1 3 0 R >> >> /Contents {len(objects)} 0 R >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>"
    path.write_bytes(_file(objects))
    return path


def _content(lines: Lines) -> str:
    y = 770.0
    orders = []
    for text, size in lines:
        y -= size * 1.2
        escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        orders.append(f"BT /F1 {size} Tf 72 {y:.1f} Td ({escaped}) Tj ET")
    return "\n".join(orders)


def _file(objects: Sequence[str]) -> bytes:
    data = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("cp1252")
    rows = "".join(f"{place:010d} 00000 n \n" for place in places)
    trailer = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}trailer\n"
        f"<< /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{len(data)}\n%%EOF\n"
    )
    return data + trailer.encode()


def make_docx(
    path: Path, paragraphs: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]] = ()
) -> Path:
    """A Word file: paragraphs as (style, text), then a table."""
    document = docx.Document()
    for style, text in paragraphs:
        document.add_paragraph(text, style=style)
    if rows:
        table = document.add_table(rows=0, cols=len(rows[0]))
        for row in rows:
            for cell, text in zip(table.add_row().cells, row, strict=True):
                cell.text = text
    document.save(str(path))
    return path


def make_xlsx(path: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> Path:
    """An Excel file with these rows in its sheets."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    workbook.save(path)
    return path


def make_pptx(path: Path, slides: Sequence[tuple[str, str, str]]) -> Path:
    """A PowerPoint file: slides as (title, text of the body, notes)."""
    presentation = pptx.Presentation()
    for title, text, notes in slides:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = text
        box = slide.shapes.add_textbox(Inches(1), Inches(5), Inches(4), Inches(1))
        box.name = "Caption"
        box.text_frame.text = f"Caption of {title}"
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    presentation.save(str(path))
    return path


def make_eml(path: Path, subject: str, text: str, attachments: Sequence[Path]) -> Path:
    """A message with files that hang on it."""
    message = EmailMessage()
    message["From"] = "Awa Diop <awa@example.org>"
    message["To"] = "staff@example.org"
    message["Subject"] = subject
    message.set_content(text)
    for attachment in attachments:
        message.add_attachment(
            attachment.read_bytes(),
            maintype="application",
            subtype="octet-stream",
            filename=attachment.name,
        )
    path.write_bytes(message.as_bytes())
    return path


def rezipped(data: bytes, added: dict[str, bytes]) -> bytes:
    """A package with entries added, or in place of those of the same name."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.namelist():
            if entry not in added:
                new.writestr(entry, old.read(entry))
        for entry, content in added.items():
            new.writestr(entry, content)
    return made.getvalue()


def make_epub(path: Path, chapters: dict[str, str], locked: str = "") -> Path:
    """A book of chapters by their files' names, in this order; `locked`: how its texts are."""
    items = "".join(
        f'<item id="c{number}" href="{name}" media-type="application/xhtml+xml"/>'
        for number, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="c{number}"/>' for number in range(len(chapters)))
    doctype = "<!DOCTYPE html>"
    entries = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
        'container"><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        "OEBPS/book.opf": (
            '<package xmlns="http://www.idpf.org/2007/opf" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<metadata><dc:title>The Sea</dc:title></metadata><manifest>{items}</manifest>"
            f"<spine>{spine}</spine></package>"
        ),
        **{
            f"OEBPS/{name}": f'<?xml version="1.0" encoding="utf-8"?>\n{doctype}<html xmlns='
            f'"http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>{text}</body></html>'
            for name, text in chapters.items()
        },
    }
    if locked:
        entries["META-INF/encryption.xml"] = (
            '<encryption><EncryptedData><EncryptionMethod Algorithm="' + locked + '"/>'
            "</EncryptedData></encryption>"
        )
    with zipfile.ZipFile(path, "w") as package:
        for name, content in entries.items():
            package.writestr(name, content)
    return path


def make_odt(path: Path) -> Path:
    """A text as LibreOffice writes it: a heading, a paragraph with spaces, a table."""
    names = ("office", "text", "table")
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names
    )
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    rows = "".join(
        f"<table:table-row>{''.join(cell.format(word) for word in row)}</table:table-row>"
        for row in (("Ville", "Nombre"), ("Lyon", "12"))
    )
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        package.writestr(
            "content.xml",
            f"<office:document-content {spaces}><office:body><office:text>"
            '<text:h text:outline-level="1">Titre</text:h>'
            "<text:p>Le <text:span>premier</text:span><text:s/>paragraphe</text:p>"
            f"<table:table>{rows}</table:table></office:text></office:body>"
            "</office:document-content>",
        )
    return path
