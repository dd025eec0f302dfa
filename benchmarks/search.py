"""Folders of documents of five pages: read, followed and searched, on this machine.

3,000 real files (quick: 500) in French and English, a third each of docx and pdf, the rest md, html
and txt, are read by `archipel search index`. Then the index is grown to 100,000 documents (quick:
5,000): what was read is put in again under other paths, with other numbers among the words that are
searched, as to write and read a hundred thousand files takes most of an hour and shows nothing new.
Their files are links to the first ones, as what is found must be there. Queries are asked one after
another in a process of its own. `megabytes` is the most that the command and its readers had
together; `processor_ms_a_document` is what they took of all cores, whatever else ran on these.
"""

import json
import os
import random
import re
import resource
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from statistics import median

from archipel.cli.provenance import ROOT
from archipel.config import child_environment
from archipel.search.finding import Filters, find, question_in
from archipel.search.home import read
from archipel.search.index import name_stems
from archipel.search.index_file import PLACE_BITS, opened
from archipel.search.quoting import best_quote
from archipel.search.texts import stems_of

_WORDS = 2_050  # on five pages
_TYPES = ("docx", "pdf", "docx", "pdf", "md", "html", "txt", "pdf", "docx")
_CORPUS = ROOT / "tests/documents/corpus"
_TURNS = 3
_CHANGES = 8
_QUERIES = """
parental leave
notice period contract
how do I report a broken boiler?
congés payés
délai de préavis
comment déclarer une panne de chauffage ?
insurance claim water damage
règlement intérieur de la bibliothèque
réunion du conseil
meeting minutes budget
how many days of sick leave can an employee take without a certificate
combien de jours de congé maladie sans certificat médical
Dossier41468
dossier 1234567
fire doors
kitchen hygiene temperature
travel expenses reimbursement
remboursement des frais de déplacement
password policy
mot de passe perdu
heating
chauffage
employee
employés
company car
voiture de fonction
who approves overtime?
qui valide les heures supplémentaires ?
hot water legionella
eau chaude
library opening hours
horaires d'ouverture
garden tools
outils de jardin
violin lessons for children
cours de violon
the
le
emergency exit plan
plan d'évacuation
archive of the company on paper
what is the temperature in the server room
quelle est la température dans la salle des serveurs
""".strip().splitlines()


def run(quick: bool) -> dict[str, float]:
    """Reading and following as processes; queries as the command asks them, without its start."""
    with tempfile.TemporaryDirectory() as folder:
        documents, home = Path(folder) / "documents", Path(folder) / "home"
        count = 500 if quick else 3_000
        for number in range(count):
            make_document(documents, number)
        _search(home, "add", str(documents))
        figures = _reading(home, count)
        figures |= _following(home, documents)
        figures |= _grown(home / "search.db", Path(folder), 5_000 if quick else 100_000)
        return {"documents_read": count} | figures | _asked(home / "search.db")


def _search(home: Path, *words: str) -> None:
    subprocess.run(_command(*words), env=_environment(home), check=True, stdout=subprocess.DEVNULL)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "archipel", "search", *words]


def _environment(home: Path) -> dict[str, str]:
    return child_environment(ARCHIPEL_HOME=str(home))


def _reading(home: Path, count: int) -> dict[str, float]:
    """`archipel search index` from its start to its end."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(_command("index"), env=_environment(home), stdout=subprocess.DEVNULL)
    most = 0.0
    while process.poll() is None:
        most = max(most, _megabytes(process.pid))
        time.sleep(0.05)
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return {
        "documents_per_second": round(count / seconds, 1),
        "processor_ms_a_document": round(1000 * processor / count, 1),
        "megabytes": round(most, 1),
    }


def _megabytes(pid: int) -> float:
    """What a process and its children have in memory now."""
    pids = [str(pid)]
    try:
        pids += Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        pages = [int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in pids]
    except (OSError, IndexError):  # one ended just now
        return 0.0
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _following(home: Path, documents: Path) -> dict[str, float]:
    """From a changed file to the moment in which a query finds its new words."""
    path = sorted(documents.rglob("*.md"))[0]
    text = path.read_text()
    with subprocess.Popen(
        _command("watch"),
        env=_environment(home),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as watching:
        took = []
        for number in range(_CHANGES + 1):  # the first shows that it watches by now
            began = time.perf_counter()
            path.write_text(f"{text}\n\nzeppelin{number}\n")
            _until(lambda n=number: _finds(home / "search.db", f"zeppelin{n}"))  # type: ignore[misc]
            took.append(time.perf_counter() - began)
        watching.terminate()
    return {
        "seconds_to_searchable": round(median(took[1:]), 2),
        "seconds_to_searchable_most": round(max(took[1:]), 2),
    }


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.02)


def _finds(index: Path, words: str) -> bool:
    with read(index) as connection:
        return bool(find(connection, question_in(connection, words), Filters(), 1))


def _grown(index: Path, folder: Path, count: int) -> dict[str, float]:
    """The index with what was read once more and again, up to `count` documents."""
    with opened(index) as connection:
        texts = connection.execute("SELECT * FROM texts").fetchall()
        first = last = max(row[0] for row in texts)
        turn = 0
        while last - first + len(texts) < count:
            turn += 1
            room = count - (last - first + len(texts))
            connection.execute("BEGIN")
            for row in texts[:room]:
                last += 1
                _put_again(connection, row, last, folder / f"again{turn}")
            connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        documents = connection.execute("SELECT count(*) FROM files").fetchone()[0]
    return {
        "documents_searched": documents,
        "index_megabytes": round(index.stat().st_size / 1e6, 1),
    }


def _put_again(
    connection: sqlite3.Connection, row: Sequence[object], number: int, folder: Path
) -> None:
    """A text and its file under another number and path."""
    source, *_, title, language, unread = row
    name, suffix, size, mtime_ns, inode = connection.execute(
        "SELECT path, suffix, size, mtime_ns, inode FROM files WHERE text = ?", (source,)
    ).fetchone()
    path = folder / Path(name).parent.name / Path(name).name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.hardlink_to(name)
    connection.execute(
        "INSERT INTO texts VALUES (?, ?, ?, ?, ?, ?, ?)",
        (number, str(number), suffix, size, title, language, unread),
    )
    named = connection.execute(
        "INSERT INTO files (path, suffix, size, mtime_ns, inode, text)"
        " VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (str(path), suffix, size, mtime_ns, inode, number),
    ).fetchone()
    connection.execute("INSERT INTO names (rowid, stems) VALUES (?, ?)", (*named, name_stems(name)))
    span = (int(str(source)) << PLACE_BITS, (int(str(source)) + 1) << PLACE_BITS)
    bodies = connection.execute(
        "SELECT body FROM chunks WHERE id >= ? AND id < ? ORDER BY id", span
    ).fetchall()
    for place, (body,) in enumerate(bodies):
        chunk = (number << PLACE_BITS) + place
        stems = re.sub(r"\d+", lambda digits: str(int(digits[0]) + 7 * number), stems_of(body))
        connection.execute("INSERT INTO chunks VALUES (?, ?)", (chunk, body))
        connection.execute("INSERT INTO chunk_words (rowid, stems) VALUES (?, ?)", (chunk, stems))
    connection.execute("UPDATE totals SET chunks = chunks + ?", (len(bodies),))


def _asked(index: Path) -> dict[str, float]:
    """The queries in a process of its own."""
    asked = [sys.executable, "-m", "benchmarks.search", str(index)]
    done = subprocess.run(asked, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def ask_all(index: Path) -> dict[str, float]:
    """Every query some times, each after all others; the very first also loads the dictionary."""
    first, *took = [_milliseconds(index, query) for _ in range(_TURNS) for query in _QUERIES]
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return {
        "queries": len(_QUERIES),
        "query_ms": round(median(took), 1),
        "query_p95_ms": round(sorted(took)[int(0.95 * len(took))], 1),
        "query_most_ms": round(max(took), 1),
        "first_query_ms": round(first, 1),
        "query_megabytes": round(int(peak.split()[1]) / 1e3, 1),
    }


def _milliseconds(index: Path, query: str) -> float:
    began = time.perf_counter()
    with read(index) as connection:
        asked = question_in(connection, query)
        found = find(connection, asked, Filters(), 10)
        for one in found:
            best_quote(one.passage, asked)
    return 1000 * (time.perf_counter() - began)


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


if __name__ == "__main__":
    print(json.dumps(ask_all(Path(sys.argv[1]))))
