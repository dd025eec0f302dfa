"""Folders of documents of five pages: read, followed and searched, on this machine.

3,000 real files (quick: 500) in French and English, a third each of docx and pdf, the rest md, html
and txt, are read by `archipel search index`. Then the index is grown to 100,000 documents (quick:
2,000): the words that were read are put in again under other paths with other names and numbers in
them, as to write and read a hundred thousand files takes an hour and shows nothing new; the files
of these are links to the first ones, so that whoever asks finds a file there. Queries are asked of
the grown index, each in turn with all others between, so that nothing is remembered but what the
system keeps of the file.
"""

import random
import re
import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from archipel.cli.provenance import ROOT

_WORDS = 2_050  # on five pages
_TYPES = ("docx", "pdf", "docx", "pdf", "md", "html", "txt", "pdf", "docx")
_CORPUS = ROOT / "tests/documents/corpus"


@cache
def _sentences(language: str) -> tuple[str, ...]:
    """Sentences that people wrote, of the documents of `documents_search`."""
    files = sorted((_CORPUS / language).glob("*.md"))
    texts = [path.read_text().encode("cp1252", "ignore").decode("cp1252") for path in files]
    paragraphs = [" ".join(one.split()) for text in texts for one in text.split("\n\n")]
    prose = [one for one in paragraphs if not one.startswith(("#", "|", "-"))]
    return tuple(s for one in prose for s in re.split(r"(?<=[.!?]) ", one) if len(s) > 30)


@cache
def _vocabulary(language: str) -> tuple[str, ...]:
    """Words of the language, the thesaurus' own, in an order that says how common they are here."""
    text = (ROOT / "src/archipel/documents/thesaurus.txt").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    halves = [line.partition("|")[0 if language == "en" else 2] for line in lines]
    words = sorted({w for half in halves for w in half.split() if w.isalpha() and len(w) > 3})
    random.Random(language).shuffle(words)
    return tuple(words)


def make_paragraphs(number: int) -> list[str]:
    """The paragraphs of a document: sentences in which some words are of its own subject, and some
    any; numbers and names are its own."""
    chance = random.Random(number)
    language = ("fr", "en")[number % 2]
    vocabulary = _vocabulary(language)
    subject = [vocabulary[int(len(vocabulary) * chance.random() ** 3)] for _ in range(25)]
    paragraphs, words = [], 0
    while words < _WORDS:
        some = [_varied(chance.choice(_sentences(language)), subject, chance) for _ in range(4)]
        some.append(f"Dossier{chance.randrange(1, 60_000)}, {chance.randrange(10**6)}.")
        paragraphs.append(" ".join(some))
        words += len(paragraphs[-1].split())
    return [f"{' '.join(subject[:4]).capitalize()}", *paragraphs]


def _varied(sentence: str, subject: Sequence[str], chance: random.Random) -> str:
    vocabulary = _vocabulary("en")
    words = sentence.split(" ")
    for place, word in enumerate(words):
        if len(word) > 4 and word.isalpha() and word.islower():
            which = chance.random()
            if which < 0.15:
                words[place] = chance.choice(subject)
            elif which < 0.3:
                words[place] = vocabulary[int(len(vocabulary) * chance.random() ** 3)]
    return " ".join(words)


def make_document(folder: Path, number: int) -> Path:
    """A file of five pages."""
    from tests.documents.made import make_docx, make_pdf

    kind = _TYPES[number % len(_TYPES)]
    title, *paragraphs = make_paragraphs(number)
    path = folder / f"{number % 40:02d}" / f"{title.split()[0]}-{number}.{kind}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "pdf":
        make_pdf(path, list(_pages(title, paragraphs)), title)
    elif kind == "docx":
        make_docx(path, [("Heading 1", title), *(("Normal", one) for one in paragraphs)])
    elif kind == "html":
        body = "".join(f"<p>{one}</p>" for one in paragraphs)
        path.write_text(f"<html><body><h1>{title}</h1>{body}</body></html>")
    else:
        path.write_text(f"# {title}\n\n" + "\n\n".join(paragraphs))
    return path


def _pages(title: str, paragraphs: Sequence[str]) -> Iterator[list[tuple[str, float]]]:
    lines: list[tuple[str, float]] = [(title, 18)]
    for one in paragraphs:
        lines += [(line, 11) for line in textwrap.wrap(one, 88)]
        lines.append(("", 11))
    size = -(-len(lines) // 5)
    for start in range(0, len(lines), size):
        yield lines[start : start + size]
