"""archipel doc: files in, the same files out, and what happens on the way."""

import io
import signal
import subprocess
import threading
import zipfile
from pathlib import Path

import docx
import pypdfium2
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from pypdfium2 import raw

from tests.assistant.actions.conftest import Ruled, text_in
from tests.assistant.paperwork.conftest import DOC, Run
from tests.documents.made import make_pdf

NOTE = "<w:r><w:footnoteReference w:id='2'/></w:r>"


def letter(folder: Path, *paragraphs: str) -> Path:
    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    document.save(str(folder / "letter.docx"))
    return folder / "letter.docx"


def body(path: Path) -> str:
    return zipfile.ZipFile(path).read("word/document.xml").decode()


def shown(path: Path) -> list[str]:
    return [paragraph.text for paragraph in docx.Document(str(path)).paragraphs]


def test_a_correction_comes_as_tracked_changes_beside_the_file(
    doc: Run, ruled: Ruled, tmp_path: Path
) -> None:
    file = letter(tmp_path, "The committee have met.", "It was short.", "It was short.")
    before = file.read_bytes()
    ruled.rule = lambda prompt: text_in(prompt).replace("have", "has")
    done = doc("correct", file, "--author", "Ada", "--report", "report.md")
    assert done.returncode == 0, done.stderr
    assert "letter.corrected.docx: 1 of 3 pieces of text changed" in done.stdout
    xml = body(tmp_path / "letter.corrected.docx")
    assert "<w:delText>have</w:delText>" in xml
    assert 'w:author="Ada"' in xml
    assert file.read_bytes() == before
    assert len(ruled.prompts) == 2  # what is there twice is asked once
    assert "The committee has met." in (tmp_path / "report.md").read_text()
    assert not list(tmp_path.glob("*.progress"))


def test_a_translation_keeps_bold_words_notes_and_terms(
    doc: Run, ruled: Ruled, tmp_path: Path
) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("The ")
    paragraph.add_run("important").bold = True
    paragraph.add_run(" supply voltage")
    paragraph._p.append(parse_xml(NOTE.replace("<w:r>", f"<w:r {nsdecls('w')}>")))
    paragraph.add_run(" is low.")
    document.save(str(tmp_path / "a.docx"))
    (tmp_path / "terms.csv").write_text("supply voltage;tension d’alimentation\nwire;fil\n")
    french = {
        "The important supply voltage{1} is low.": "L’importante tension d’alimentation{1} est "
        "basse.",
        "important": "importante",
    }
    ruled.rule = lambda prompt: french[text_in(prompt)]
    done = doc("translate", "a.docx", "--to", "fr", "--no-track", "--terms", "terms.csv")
    assert done.returncode == 0, done.stderr
    [result] = docx.Document(str(tmp_path / "a.fr.docx")).paragraphs
    assert result.text == "L’importante tension d’alimentation est basse."
    assert [run.text for run in result.runs if run.bold] == ["importante"]
    order = [run.text or "note" for run in result.runs]
    assert order.index("note") == order.index(" tension d’alimentation") + 1
    assert "supply voltage → tension d’alimentation." in ruled.prompts[0]
    assert "wire" not in ruled.prompts[0]
    assert "to look at" not in done.stdout


def test_what_an_answer_loses_is_said(doc: Run, ruled: Ruled, tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("Press the ")
    paragraph.add_run("red").bold = True
    paragraph.add_run(" button")
    paragraph._p.append(parse_xml(NOTE.replace("<w:r>", f"<w:r {nsdecls('w')}>")))
    paragraph.add_run(" 12 times.")
    document.save(str(tmp_path / "a.docx"))
    (tmp_path / "terms.csv").write_text("button;touche\n")
    ruled.rule = lambda prompt: "Appuyez sur le bouton."
    done = doc("translate", "a.docx", "--to", "fr", "--terms", "terms.csv")
    assert "paragraph 1: numbers differ: 12" in done.stdout
    assert "paragraph 1: things that are no text" in done.stdout
    assert "paragraph 1: terms of the list that are not in it: button → touche" in done.stdout
    assert "paragraph 1: bold, italics or the like were not carried over: red" in done.stdout
    assert "footnoteReference" in body(tmp_path / "a.fr.docx")


def test_an_answer_that_is_none_is_not_put_into_the_file(
    doc: Run, ruled: Ruled, tmp_path: Path
) -> None:
    file = letter(tmp_path, "A first line.", "Another one.")
    ruled.rule = lambda prompt: "" if "first" in prompt else text_in(prompt) + " Yes." * 900
    done = doc("correct", file)
    assert "paragraph 1: the model gave no answer; the text is as it was" in done.stdout
    assert "paragraph 2: the answer ran on and was ended; the text is as it was" in done.stdout
    assert shown(tmp_path / "letter.corrected.docx") == ["A first line.", "Another one."]


def test_a_command_that_was_interrupted_goes_on_where_it_was(
    doc: Run, ruled: Ruled, tmp_path: Path
) -> None:
    texts = [f"Line number {name}." for name in ("one", "two", "three", "four", "five", "six")]
    file = letter(tmp_path, *texts)
    reached, interrupted = threading.Event(), threading.Event()

    def rule(prompt: str) -> str:
        if "six" in prompt and not interrupted.is_set():
            reached.set()
            interrupted.wait(20)
        return text_in(prompt).replace("Line", "Row")

    ruled.rule = rule
    command = [*DOC, "rewrite", str(file), "--url", ruled.url]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert reached.wait(20)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    interrupted.set()
    assert process.returncode != 0
    kept = int(said.split(" answers are kept: the same command goes on.")[0].split()[-1])
    assert kept >= 2
    assert not (tmp_path / "letter.rewritten.docx").exists()
    before = len(ruled.prompts)
    done = doc("rewrite", file)
    assert done.returncode == 0, done.stderr
    assert len(ruled.prompts) - before == 6 - kept
    assert "6 of 6 pieces of text changed" in done.stdout
    assert not list(tmp_path.glob("*.progress"))


def test_a_file_that_changes_meanwhile_is_not_mixed_with_its_older_self(
    doc: Run, ruled: Ruled, tmp_path: Path
) -> None:
    file = letter(tmp_path, "A line.")

    def rule(prompt: str) -> str:
        letter(tmp_path, "Quite another line.")
        return "B line."

    ruled.rule = rule
    done = doc("correct", file)
    assert done.returncode == 1
    assert "'letter.docx' was changed meanwhile. Do it again." in done.stderr
    assert not (tmp_path / "letter.corrected.docx").exists()


def test_a_pdf_comes_back_with_notes(doc: Run, ruled: Ruled, tmp_path: Path) -> None:
    make_pdf(tmp_path / "a.pdf", [[("A first page of some words.", 12)]])
    ruled.rule = lambda prompt: "Une première page de quelques mots."
    done = doc("translate", "a.pdf", "--to", "fr")
    assert done.returncode == 0, done.stderr
    with pypdfium2.PdfDocument(tmp_path / "a.fr.pdf") as document:
        assert raw.FPDFPage_GetAnnotCount(document[0]) == 1


def test_a_summary_is_printed_or_a_file_of_its_own(doc: Run, ruled: Ruled, tmp_path: Path) -> None:
    file = letter(tmp_path, "A long story.", "Its end.")
    ruled.rule = lambda prompt: "- A story.\n- It ends."
    assert doc("summarise", file, "--length", "bullets").stdout == "- A story.\n- It ends.\n"
    done = doc("summarise", file, "--length", "bullets", "-o", "s.docx")
    assert done.returncode == 0, done.stderr
    read = docx.Document(str(tmp_path / "s.docx")).paragraphs
    assert [(one.text, one.style.name) for one in read if one.style] == [
        ("letter", "Heading 1"),
        ("A story.", "List Bullet"),
        ("It ends.", "List Bullet"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["correct", "none.docx"], "can't read 'none.docx'"),
        (["correct", "letter.docx", "-o", "letter.docx"], "is the file itself"),
        (["correct", "letter.docx", "-o", "there.docx"], "add --overwrite"),
        (["correct", "letter.docx", "-o", "no/where.docx"], "there is no folder no"),
        (["translate", "letter.docx", "--to", "xx"], "target is one of"),
        (["rewrite", "letter.docx", "--tone", "rude"], "tone is one of"),
        (["correct", "broken.docx"], "is damaged"),
        (["translate", "letter.docx", "--to", "fr", "--terms", "bad.csv"], "is no pair of terms"),
        (["correct", "letter.docx", "-m", "no-such-model"], "no-such-model"),
        (["summarise", "letter.docx", "-o", "s.pdf"], "a summary is .docx, .md, .txt"),
    ],
)
def test_what_can_not_be_done_is_said_and_nothing_is_written(
    doc: Run, tmp_path: Path, arguments: list[str], said: str
) -> None:
    letter(tmp_path, "A line.")
    (tmp_path / "there.docx").write_bytes(b"mine")
    (tmp_path / "bad.csv").write_text("one;two;three\n")
    whole = io.BytesIO((tmp_path / "letter.docx").read_bytes()).getvalue()
    (tmp_path / "broken.docx").write_bytes(whole[: len(whole) // 2])
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    done = doc(*arguments)
    assert done.returncode == 1, done.stdout
    assert said in " ".join(done.stderr.split())
    after = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before


OUTLINE = """# Report

## Traffic

- more ships

| Port | Ships |
|---|---|
| Brest | 120 |

## Next year

- a crane
"""


def test_an_outline_is_written_out_section_by_section_and_its_tables_stay(
    doc: Run, ruled: Ruled, tmp_path: Path
) -> None:
    (tmp_path / "outline.md").write_text(OUTLINE)
    said = {
        "- more ships": "## Traffic\n\nMore ships came than before.\n\n## Invented\n\nNo.",
        "- a crane": "a crane. " * 900,  # it does not end
    }
    ruled.rule = lambda prompt: said[text_in(prompt).rpartition("\n\n")[2]]
    done = doc("draft", "outline.md", "-o", "report.docx")
    assert done.returncode == 0, done.stderr
    document = docx.Document(str(tmp_path / "report.docx"))
    texts = [paragraph.text for paragraph in document.paragraphs if paragraph.text]
    assert texts == ["Report", "Traffic", "More ships came than before.", "Next year", "a crane"]
    assert document.tables[0].cell(1, 0).text == "Brest"
    assert "Brest" not in "".join(ruled.prompts)
    assert "# Report\n\n## Traffic\n\n- more ships" in ruled.prompts[0]


def test_a_text_is_made_a_file_without_a_model(doc: Run, ruled: Ruled, tmp_path: Path) -> None:
    (tmp_path / "text.md").write_text(OUTLINE)
    template = letter(tmp_path, "Old.")
    command = [*DOC, "make", "text.md", "-o", "out.docx", "--template", template.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert shown(tmp_path / "out.docx")[0] == "Report"
    assert ruled.prompts == []
    command = [*DOC, "make", "text.md", "-o", "out.pptx", "--template", template.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "is no template of a .pptx file" in done.stderr
