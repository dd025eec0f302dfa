"""archipel doc: the same file back, translated, corrected or rewritten; its summary; new files."""

from pathlib import Path

import typer

app = typer.Typer(
    help="Office files, PDFs and texts: translate, correct, rewrite, summarise, draft. What comes "
    "back is the same kind of file with its layout; in Word files every change can be refused.",
    no_args_is_help=True,
)

_FILE = typer.Argument(help="A docx, pptx, xlsx, pdf, md or txt file. It is not changed.")
_OUTPUT = typer.Option(
    None, "--output", "-o", help="The new file.  [default: beside it, as report.fr.docx]"
)
_MODEL = typer.Option(
    None,
    "--model",
    "-m",
    help="A model of the service, or one on this disk.  [default: the fit one]",
)
_URL = typer.Option("http://127.0.0.1:8080/v1", help="An OpenAI-compatible service.")
_TRACK = typer.Option(True, help="In Word files, as tracked changes.")
_AUTHOR = typer.Option("Archipel", help="Whose the changes are.")
_REPORT = typer.Option(None, help="Write what was changed and what to look at here, as Markdown.")
_OVERWRITE = typer.Option(False, help="Put the new file in the place of one that is there.")


@app.command()
def translate(
    file: Path = _FILE,
    to: str = typer.Option(help="The language, by its code: fr, en, de, …"),
    source: str = typer.Option("detected", "--from", help="The language that it is in."),
    terms: Path | None = typer.Option(
        None, help="A list of what words are to be called: word;translation in each line."
    ),
    output: Path | None = _OUTPUT,
    model: str | None = _MODEL,
    url: str = _URL,
    track: bool = _TRACK,
    author: str = _AUTHOR,
    report: Path | None = _REPORT,
    overwrite: bool = _OVERWRITE,
) -> None:
    """Translate a file.

    Example: archipel doc translate report.docx --to fr
    """
    from archipel.cli.doc.work import Order, carry_out

    fields = {"target": to, "source": source}
    order = Order(file, output, "translate", fields, model, url, author if track else None)
    carry_out(order, terms=terms, report=report, overwrite=overwrite)


@app.command()
def correct(
    file: Path = _FILE,
    output: Path | None = _OUTPUT,
    model: str | None = _MODEL,
    url: str = _URL,
    track: bool = _TRACK,
    author: str = _AUTHOR,
    report: Path | None = _REPORT,
    overwrite: bool = _OVERWRITE,
) -> None:
    """Correct spelling and grammar, and nothing else.

    Example: archipel doc correct letter.docx -o letter.corrected.docx
    """
    from archipel.cli.doc.work import Order, carry_out

    order = Order(file, output, "correct", {}, model, url, author if track else None)
    carry_out(order, report=report, overwrite=overwrite)


@app.command()
def rewrite(
    file: Path = _FILE,
    tone: str = typer.Option("simpler", help="simpler, warmer, formal or shorter."),
    output: Path | None = _OUTPUT,
    model: str | None = _MODEL,
    url: str = _URL,
    track: bool = _TRACK,
    author: str = _AUTHOR,
    report: Path | None = _REPORT,
    overwrite: bool = _OVERWRITE,
) -> None:
    """Say it otherwise, in the same language.

    Example: archipel doc rewrite offer.docx --tone formal
    """
    from archipel.cli.doc.work import Order, carry_out

    order = Order(file, output, "rewrite", {"tone": tone}, model, url, author if track else None)
    carry_out(order, report=report, overwrite=overwrite)


@app.command()
def summarise(
    file: Path = typer.Argument(help="Any document that the assistant reads, mails and code too."),
    length: str = typer.Option("short", help="sentence, short, long or bullets."),
    audience: str = typer.Option("everyone", help="everyone, expert, child or boss."),
    language: str = typer.Option("same", help="The summary's language, by its code."),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="A docx, md or txt file.  [default: print it]"
    ),
    model: str | None = _MODEL,
    url: str = _URL,
    overwrite: bool = _OVERWRITE,
) -> None:
    """Summarise a file.

    Example: archipel doc summarise minutes.pdf --length bullets -o minutes.summary.docx
    """
    from archipel.cli.doc.summary import summarise_file

    fields = {"length": length, "audience": audience, "language": language}
    summarise_file(file, output, fields, model, url, overwrite=overwrite)


_TEMPLATE = typer.Option(
    None, help="A file of the same kind: its styles, its design, its page; not its text."
)


@app.command()
def make(
    text: Path = typer.Argument(help="Markdown: headings, lists, tables, charts."),
    output: Path = typer.Option(..., "--output", "-o", help="A docx, pptx or xlsx file."),
    template: Path | None = _TEMPLATE,
    overwrite: bool = _OVERWRITE,
) -> None:
    """Make an office file of a text, as it is.

    Example: archipel doc make report.md -o report.docx --template house.docx
    """
    from archipel.cli.doc.new import make_of

    make_of(text, output, template, overwrite=overwrite)


@app.command()
def draft(
    outline: Path = typer.Argument(help="Markdown: headings, and points under them."),
    output: Path = typer.Option(..., "--output", "-o", help="A docx, pptx, xlsx or md file."),
    template: Path | None = _TEMPLATE,
    language: str = typer.Option("same", help="The text's language, by its code."),
    model: str | None = _MODEL,
    url: str = _URL,
    overwrite: bool = _OVERWRITE,
) -> None:
    """Have a model write out an outline, and make an office file of it.

    Example: archipel doc draft outline.md -o report.docx
    """
    from archipel.cli.doc.new import draft_of

    draft_of(outline, output, template, {"language": language}, model, url, overwrite=overwrite)
