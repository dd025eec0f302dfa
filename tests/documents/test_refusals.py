"""What can't or mustn't be read is refused, each with an error that says what to do."""

import asyncio
import base64
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pypdf
import pytest

from archipel.documents.blocks import Limits
from archipel.documents.reading import read_document
from archipel.errors import (
    ConfigError,
    DocumentCorrupt,
    DocumentEmpty,
    DocumentError,
    DocumentHasMacros,
    DocumentLocked,
    DocumentScanned,
    DocumentTooLarge,
    DocumentUnsupported,
)
from tests.documents.made import (
    make_docx,
    make_eml,
    make_odt,
    make_pdf,
    make_pptx,
    make_xlsx,
    rezipped,
)

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


def refused(path: Path, kind: type[DocumentError], limits: Limits | None = None) -> str:
    """Read a document that must be refused with this very error; its message."""
    with pytest.raises(DocumentError) as caught:
        asyncio.run(read_document(path, path.name, limits))
    assert type(caught.value) is kind
    assert repr(path.name) in str(caught.value)
    return str(caught.value)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def docx_with(tmp_path: Path, added: dict[str, bytes]) -> Path:
    path = make_docx(tmp_path / "file.docx", [("Normal", "Some words")])
    return written(path, rezipped(path.read_bytes(), added))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        asyncio.run(read_document(tmp_path / "none.pdf", "none.pdf"))


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.csv"])
def test_empty(tmp_path: Path, name: str) -> None:
    refused(written(tmp_path / name, b""), DocumentEmpty)
    refused(written(tmp_path / name, b" \n\n "), DocumentEmpty)


def test_empty_office_files(tmp_path: Path) -> None:
    refused(make_docx(tmp_path / "a.docx", []), DocumentEmpty)
    refused(make_xlsx(tmp_path / "a.xlsx", {"Sheet": []}), DocumentEmpty)


def test_scanned(tmp_path: Path) -> None:
    message = refused(make_pdf(tmp_path / "scan.pdf", [[], []]), DocumentScanned)
    assert "2 pages" in message
    assert "OCR" in message


def test_a_pdf_with_a_password(tmp_path: Path) -> None:
    plain = make_pdf(tmp_path / "plain.pdf", [[("Secret", 12)]])
    writer = pypdf.PdfWriter(clone_from=plain)
    writer.encrypt("word", algorithm="AES-256")
    writer.write(tmp_path / "locked.pdf")
    assert "password" in refused(tmp_path / "locked.pdf", DocumentLocked)


def test_office_files_with_a_password(tmp_path: Path) -> None:
    encrypted = OLE + "EncryptedPackage".encode("utf-16-le")
    refused(written(tmp_path / "a.docx", encrypted), DocumentLocked)
    odt = make_odt(tmp_path / "a.odt")
    manifest = b"<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"
    refused(
        written(odt, rezipped(odt.read_bytes(), {"META-INF/manifest.xml": manifest})),
        DocumentLocked,
    )


def test_old_office_files(tmp_path: Path) -> None:
    assert "docx" in refused(written(tmp_path / "a.doc", OLE), DocumentUnsupported)


def test_macros(tmp_path: Path) -> None:
    message = refused(docx_with(tmp_path, {"word/vbaProject.bin": b"x"}), DocumentHasMacros)
    assert "word/vbaProject.bin" in message
    odt = make_odt(tmp_path / "a.odt")
    basic = {"Basic/Standard/script-lb.xml": b"<x/>"}
    refused(written(odt, rezipped(odt.read_bytes(), basic)), DocumentHasMacros)


@pytest.mark.parametrize("suffix", ["pdf", "docx", "xlsx", "pptx", "odt"])
def test_what_is_not_what_its_name_says(tmp_path: Path, suffix: str) -> None:
    refused(written(tmp_path / f"a.{suffix}", b"plain words"), DocumentCorrupt)


MAKERS: dict[str, Callable[[Path], Path]] = {
    "a.docx": lambda path: make_docx(path, [("Normal", "Some words")]),
    "a.xlsx": lambda path: make_xlsx(path, {"Sheet": [["a", 1]]}),
    "a.pptx": lambda path: make_pptx(path, [("Title", "Text", "")]),
    "a.odt": make_odt,
}


@pytest.mark.parametrize("name", MAKERS)
def test_half_of_a_package(tmp_path: Path, name: str) -> None:
    whole = MAKERS[name](tmp_path / name).read_bytes()
    refused(written(tmp_path / name, whole[: len(whole) // 2]), DocumentCorrupt)


def test_a_pdf_that_is_only_its_head(tmp_path: Path) -> None:
    refused(written(tmp_path / "a.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 40), DocumentCorrupt)


def test_xml_that_is_none(tmp_path: Path) -> None:
    refused(docx_with(tmp_path, {"word/document.xml": b"<w:document><w:body>"}), DocumentCorrupt)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities(tmp_path: Path, encoding: str) -> None:
    """Neither a file of this machine nor a word that grows a thousandfold comes in as an entity."""
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    xml = (
        f'<?xml version="1.0" encoding="{encoding}"?>'
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>&e;</w:t></w:r></w:p></w:body></w:document>"
    )
    refused(docx_with(tmp_path, {"word/document.xml": xml.encode(encoding)}), DocumentCorrupt)


def test_a_bomb_that_says_so(tmp_path: Path) -> None:
    path = docx_with(tmp_path, {"word/media/a.xml": bytes(20 << 20)})
    assert path.stat().st_size < 100_000
    message = refused(path, DocumentTooLarge, Limits(unpacked_bytes=10 << 20))
    assert "10,485,760 bytes once unpacked" in message


def test_a_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    path = docx_with(tmp_path, {"word/media/a.bin": bytes(20 << 20)})
    size = (20 << 20).to_bytes(4, "little")
    data = path.read_bytes().replace(size, (100).to_bytes(4, "little"))
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert package.getinfo("word/media/a.bin").file_size == 100
    refused(written(path, data), DocumentCorrupt, Limits(unpacked_bytes=10 << 20))


def test_too_many_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(2 << 30)  # two gigabytes, which the disk doesn't have to hold
    refused(path, DocumentTooLarge)


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (Limits(characters=1_000), "1,000 characters"),
        (Limits(blocks=50), "50 blocks"),
        (Limits(wall_seconds=0), "0 seconds"),
    ],
)
def test_too_much_text(tmp_path: Path, limits: Limits, what: str) -> None:
    path = written(tmp_path / "a.txt", b"Some words.\n\n" * 100)
    assert what in refused(path, DocumentTooLarge, limits)


def test_too_many_pages_cells_and_slides(tmp_path: Path) -> None:
    pdf = make_pdf(tmp_path / "a.pdf", [[("Words", 12)]] * 3)
    assert "2 pages" in refused(pdf, DocumentTooLarge, Limits(pages=2))
    sheet = make_xlsx(tmp_path / "a.xlsx", {"Sheet": [["a", 1]] * 20})
    assert "30 cells" in refused(sheet, DocumentTooLarge, Limits(cells=30))
    slides = make_pptx(tmp_path / "a.pptx", [("Title", "Text", "")] * 3)
    assert "2 slides" in refused(slides, DocumentTooLarge, Limits(pages=2))


def test_too_much_memory(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", b"Some words.\n\n" * 4_000_000)
    refused(path, DocumentTooLarge, Limits(memory_bytes=200 << 20))


def test_too_much_time(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", b"Some words.\n\n" * 4_000_000)
    refused(path, DocumentTooLarge, Limits(cpu_seconds=1, blocks=10**9, characters=10**9))


def test_parts_within_parts(tmp_path: Path) -> None:
    path = written(tmp_path / "a.html", b"<div>" * 5_000 + b"words" + b"</div>" * 5_000)
    with pytest.raises(DocumentError):
        asyncio.run(read_document(path, path.name))


def test_messages_within_messages(tmp_path: Path) -> None:
    path = make_eml(tmp_path / "0.eml", "Deep", "Words", [])
    for number in range(1, 7):
        path = make_eml(tmp_path / f"{number}.eml", "Deep", "Words", [path])
    with pytest.raises(DocumentTooLarge, match="4 messages"):
        asyncio.run(read_document(path, path.name))


def test_binary_files_and_archives(tmp_path: Path) -> None:
    pixel = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQAAAAA3bvkkAAAACklEQVR4nGNoAAAAggCB")
    refused(written(tmp_path / "a.png", pixel), DocumentUnsupported)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as package:
        package.writestr("a.txt", "words")
    refused(written(tmp_path / "a.zip", made.getvalue()), DocumentUnsupported)


def test_a_message_that_is_none(tmp_path: Path) -> None:
    refused(written(tmp_path / "a.eml", b"just words\n\nand more"), DocumentCorrupt)


def test_a_secret_of_the_service_is_not_in_the_process_that_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child's environment, as Linux shows it, while it waits at a pipe for its document."""
    import os
    import threading

    monkeypatch.setenv("ARCHIPEL_SECRET", "pepper")
    pipe = tmp_path / "a.txt"
    os.mkfifo(pipe)
    seen: list[bytes] = []

    def feed() -> None:
        with pipe.open("wb") as file:  # opens when the child does
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if b"archipel.documents.child" in (process / "cmdline").read_bytes():
                        seen.append((process / "environ").read_bytes())
                except OSError:
                    continue
            file.write(b"Some words")

    thread = threading.Thread(target=feed)
    thread.start()
    document = asyncio.run(read_document(pipe, "a.txt"))
    thread.join()
    assert document.blocks[0].text == "Some words"
    assert seen
    assert not any(b"pepper" in environment for environment in seen)
